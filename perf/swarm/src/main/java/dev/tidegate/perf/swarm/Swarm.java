package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * The connections of one process, on one event loop. {@link #accept} puts commands onto the loop; everything else runs
 * there.
 */
final class Swarm implements AutoCloseable {
    /** Handshakes in a row after which a client gives up. */
    private static final int MAX_ATTEMPTS = 20;

    /** Longest wait before a client tries again, milliseconds. */
    private static final int MAX_BACK_OFF = 5_000;

    /** How often a client that does not read says that it is alive, milliseconds. */
    private static final int BEAT = 5_000;

    private static final String ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455, 1.3

    final Settings settings;
    final Channels channels;
    final Tokens tokens;
    final Accounts accounts = new Accounts();
    final FrameReader reader = new FrameReader();
    final Frame frame = new Frame();
    final Place place = new Place();
    final Marker marker = new Marker();
    final Members members = new Members();
    final String key;
    final String accept;

    private final Sockets sockets;
    private final EventLoop loop;
    private final Consumer<Wire.Report> reports;
    private final Client[] clients;
    private final double share;
    private final long wallOffset;
    private final Random random;

    private Histogram live = Histograms.create();
    private Histogram slow = Histograms.create();
    private Histogram replay = Histograms.create();
    private final Histogram connect = Histograms.create();
    private Histogram recovery = Histograms.create();

    private final Dialer dialer;
    private int ready;
    private int settled;
    private boolean readyTold;
    private boolean holding;
    private boolean awayTold;
    private int open; // connections there are, or that are being made
    private boolean stopped;
    private final long begunAt = System.nanoTime();

    // What is expected.
    private int @Nullable [] expected;
    private int expectation;
    private int lacking;
    private boolean wholeTold;
    private long reopenedAt;

    /** Those that do not read say now and then that they are alive. */
    private boolean beating;

    /** Wall clock at the last reading, nanoseconds. */
    private long now;

    Swarm(Wire.Command.Start start, Consumer<Wire.Report> reports) {
        this.settings = start.settings();
        this.reports = reports;
        this.share = start.share();
        this.wallOffset = start.wallOffset();
        this.random = new Random(settings.seed() * 31 + start.first());
        this.channels = new Channels(settings);
        this.tokens = new Tokens(settings.load().token(), settings.load().hs256());
        this.key = newKey();
        this.accept = acceptOf(key);
        this.sockets = new Sockets(settings.load().transport(), settings.load().napMs());
        this.loop = sockets.loop();
        this.dialer = new Dialer(this, sockets, settings.load().connectRate() * share);
        this.clients = new Client[start.count()];
        for (int i = 0; i < clients.length; i++) {
            int index = start.first() + i;
            clients[i] = new Client(this, index, settings.isSlow(index), tracksOf(index));
        }
    }

    private Track[] tracksOf(int index) {
        Track[] out = new Track[settings.load().perConnection()];
        for (int k = 0; k < out.length; k++) {
            out[k] = new Track(
                    (int) (((long) index * out.length + k) % settings.load().channels()));
        }
        return out;
    }

    /** A command of the parent; any thread. */
    void accept(Wire.Command command) {
        loop.execute(() -> {
            switch (command) {
                case Wire.Command.Start s -> {
                    for (Client c : clients) {
                        dialer.enqueue(c);
                    }
                }
                case Wire.Command.Measure m -> {
                    live = Histograms.create();
                    slow = Histograms.create();
                    replay = Histograms.create();
                    recovery = Histograms.create();
                }
                case Wire.Command.Expect e -> expect(e.id(), e.counts());
                case Wire.Command.Cut c -> cut(c.close());
                case Wire.Command.Reopen r -> reopen(r);
                case Wire.Command.Slow s -> slow(s.stop());
                case Wire.Command.Finish f -> finish(f);
            }
        });
    }

    // ---- the life of a connection

    /** A connection is being made. */
    void opened() {
        open++;
    }

    void becameReady(Client c) {
        c.state = Client.State.READY;
        c.attempts = 0;
        dialer.landed();
        ready++;
        Histograms.record(connect, System.nanoTime() - c.startedAt);
        if (!c.wasReady) {
            c.wasReady = true;
            settle();
        }
        checkWhole(c);
    }

    /** The connection is gone, or was never made. */
    void closed(Client c) {
        Client.State was = c.state;
        c.channel = null;
        c.state = Client.State.AWAY;
        open--;
        if (was == Client.State.READY) {
            ready--;
        } else {
            dialer.landed();
        }
        if (stopped) {
            return;
        }
        if (!c.cut) {
            if (was == Client.State.READY || was == Client.State.SUBSCRIBING) {
                accounts.closedByServer++;
                Accounts.count(accounts.closeCodes, c.closeCode == 0 ? 1006 : c.closeCode);
            } else {
                accounts.connectFailures++;
            }
        }
        if (holding) {
            c.recovering = true;
            tellIfAway();
            return;
        }
        if (mayComeBack(c)) {
            long wait = c.comeBackAfter > 0 ? c.comeBackAfter : backOff(c);
            var _ = loop.schedule(
                    () -> {
                        if (c.state == Client.State.AWAY && !holding) {
                            dialer.enqueue(c);
                        }
                    },
                    wait,
                    TimeUnit.MILLISECONDS);
        } else {
            c.state = Client.State.GAVE_UP;
            accounts.gaveUp++;
            accounts.example("connection " + c.index + " given up: close code " + c.closeCode + " after "
                    + was.name().toLowerCase(java.util.Locale.ROOT) + ", attempt " + c.attempts);
            if (!c.wasReady) {
                settle();
            }
        }
    }

    private boolean mayComeBack(Client c) {
        boolean forbidden = c.closeCode >= 4100 && c.closeCode <= 4199; // the contract: do not reconnect
        return !forbidden
                && c.attempts < MAX_ATTEMPTS
                && (!c.wasReady || settings.load().reconnect());
    }

    private long backOff(Client c) {
        long most = Math.min(MAX_BACK_OFF, 100L << Math.min(c.attempts, 6));
        return most / 2 + random.nextLong(most / 2);
    }

    private void settle() {
        if (++settled == clients.length && !readyTold) {
            readyTold = true;
            reports.accept(new Wire.Report.Ready(ready, clients.length - ready, (System.nanoTime() - begunAt) / 1e9));
        }
    }

    // ---- what comes in

    /** Bytes have come: one reading of the clock for all frames in them. */
    void reading(int bytes) {
        now = System.nanoTime() + wallOffset;
        accounts.reads++;
        accounts.bytesReceived += bytes;
    }

    /** A client's event, for the first time. */
    void delivered(Client c, int channel, Marker m, boolean replayed) {
        Histograms.record(replayed ? replay : c.slow ? slow : live, now - m.nanos);
        int[] e = expected;
        if (e != null && m.sequence < e[channel] && --c.remaining == 0) {
            checkWhole(c);
        }
    }

    /** Whether an event's id is what it must be: ours where we gave one, else the cursor's text (as the record had none). */
    boolean idIsRight(int channel, int sequence, byte[] b, Frame f) {
        if (!f.id.present()) {
            return false;
        }
        Settings.Publishing p = settings.publishing();
        if (p.way() != Settings.Way.KAFKA) {
            return f.id.to > f.id.from; // given by ingest
        }
        if (p.ids()) {
            return Members.equal(
                    b, f.id.from, f.id.to, settings.eventId(channel, sequence).getBytes(US_ASCII));
        }
        return !f.cursor.present() || java.util.Arrays.equals(b, f.id.from, f.id.to, b, f.cursor.from, f.cursor.to);
    }

    String host(Client c) {
        return dialer.host(c);
    }

    ByteBuf masked(Channel c, int opcode, byte[] b, int from, int to) {
        int n = to - from;
        int mask = random.nextInt();
        ByteBuf out = c.alloc().directBuffer(n + 8).writeByte(0x80 | opcode);
        if (n < 126) {
            out.writeByte(0x80 | n);
        } else {
            out.writeByte(0x80 | 126).writeShort(n);
        }
        out.writeInt(mask);
        for (int i = 0; i < n; i++) {
            out.writeByte(b[from + i] ^ (mask >>> (24 - 8 * (i & 3))));
        }
        return out;
    }

    // ---- what is expected

    private void expect(int id, int[] counts) {
        expected = counts;
        expectation = id;
        wholeTold = false;
        lacking = clients.length;
        for (Client c : clients) {
            c.remaining = 0;
            for (Track t : c.tracks) {
                c.remaining += t.lacking(counts[t.channel]);
            }
            c.whole = false;
        }
        for (Client c : clients) {
            checkWhole(c);
        }
    }

    private void checkWhole(Client c) {
        if (expected == null || c.whole || c.remaining > 0 || c.state != Client.State.READY) {
            return;
        }
        c.whole = true;
        if (c.recovering) {
            c.recovering = false;
            Histograms.record(recovery, System.nanoTime() - reopenedAt);
        }
        if (--lacking == 0 && !wholeTold) {
            wholeTold = true;
            reports.accept(new Wire.Report.Whole(expectation));
        }
    }

    // ---- disturbances

    private void cut(boolean close) {
        holding = true;
        awayTold = false;
        dialer.clear();
        for (Client c : clients) {
            Channel channel = c.channel;
            if (c.state == Client.State.QUEUED) {
                c.state = Client.State.AWAY;
                c.recovering = true;
            } else if (close && channel != null) {
                c.cut = true;
                Sockets.reset(channel);
            }
        }
        reports.accept(new Wire.Report.Held());
        tellIfAway();
    }

    private void tellIfAway() {
        if (open == 0 && !awayTold) {
            awayTold = true;
            reports.accept(new Wire.Report.Away());
        }
    }

    private void reopen(Wire.Command.Reopen r) {
        holding = false;
        reopenedAt = System.nanoTime();
        dialer.redirect(
                settings.disturbance().gateways(), settings.disturbance().rate() * share);
        expect(r.id(), r.counts());
        for (Client c : clients) {
            if (c.state == Client.State.AWAY) {
                c.recovering = true;
                c.attempts = 0;
                dialer.enqueue(c);
            }
        }
    }

    /** Whether the slow share has stopped reading; for whoever must know before it publishes. */
    boolean standsStill() {
        return beating;
    }

    private void slow(boolean stop) {
        for (Client c : clients) {
            Channel channel = c.channel;
            if (c.slow && channel != null) {
                channel.config().setAutoRead(!stop);
            }
        }
        beating = stop;
        if (stop) {
            beat();
        }
    }

    private void beat() {
        if (!beating || stopped) {
            return;
        }
        for (Client c : clients) {
            if (c.slow) {
                c.beat();
            }
        }
        var _ = loop.schedule(this::beat, BEAT, TimeUnit.MILLISECONDS);
    }

    // ---- the end

    private void finish(Wire.Command.Finish f) {
        stopped = true;
        dialer.clear();
        Map<Integer, List<int[]>> optional = new HashMap<>();
        for (int[] o : f.optional()) {
            optional.computeIfAbsent(o[0], k -> new java.util.ArrayList<>()).add(o);
        }
        for (Client c : clients) {
            for (Track t : c.tracks) {
                int lost = t.lacking(f.counts()[t.channel]);
                for (int[] o : optional.getOrDefault(t.channel, List.of())) {
                    if (t.lacks(o[1])) {
                        lost--;
                    }
                }
                if (lost > 0) {
                    accounts.lost += lost;
                    accounts.example("connection " + c.index + " lacks of channel " + t.channel + ": "
                            + t.describeLacking(f.counts()[t.channel]));
                }
            }
        }
        reports.accept(new Wire.Report.Final(
                accounts,
                ready,
                sockets.transport().name().toLowerCase(java.util.Locale.ROOT),
                Histograms.encode(live),
                Histograms.encode(slow),
                Histograms.encode(replay),
                Histograms.encode(connect),
                Histograms.encode(recovery)));
        for (Client c : clients) {
            Channel channel = c.channel;
            if (channel != null) {
                c.cut = true;
                Sockets.reset(channel);
            }
        }
    }

    @Override
    public void close() {
        sockets.close();
    }

    private String newKey() {
        byte[] nonce = new byte[16];
        random.nextBytes(nonce);
        return Base64.getEncoder().encodeToString(nonce);
    }

    private static String acceptOf(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-1").digest((key + ACCEPT_SUFFIX).getBytes(US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-1 is required of every Java platform", e);
        }
    }
}

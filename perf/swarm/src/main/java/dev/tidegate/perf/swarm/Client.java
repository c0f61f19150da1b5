package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One client, over all of its connections. The only handler of its channel. Its fields are few: a process holds
 * thousands of these. Loop-confined. Sharable only in that it is added to one channel after another.
 */
@ChannelHandler.Sharable
final class Client extends ChannelInboundHandlerAdapter implements FrameReader.Sink {
    /** Where it stands. Every way to {@link #AWAY} leads through {@link Swarm#closed}. */
    enum State {
        /** No connection, and none asked for. */
        AWAY,
        /** Waiting for its turn to connect. */
        QUEUED,
        CONNECTING,
        /** Connected; the answer to the handshake has not come. */
        UPGRADING,
        /** Upgraded; not every channel is subscribed. */
        SUBSCRIBING,
        READY,
        /** Not tried again. */
        GAVE_UP
    }

    /** With more channels than this, they are subscribed by frames and not in the URL. */
    private static final int MAX_IN_URL = 8;

    private final Swarm swarm;
    final int index;
    final boolean slow;
    final Track[] tracks;

    State state = State.AWAY;

    @Nullable
    Channel channel;

    private byte @Nullable [] partial;
    private int subscribed;

    /** Handshakes since it was last ready. */
    int attempts;

    /** When the connection was begun, {@link System#nanoTime()}. */
    long startedAt;

    /** What the server said when it closed; 0 if nothing. */
    int closeCode;

    /** What the server said of when to come back, milliseconds. */
    long comeBackAfter;

    /** It has been ready before. */
    boolean wasReady;

    /** This side ends the connection. */
    boolean cut;

    /** It was cut in a storm, and its return is timed. */
    boolean recovering;

    /** Events that it lacks of what is expected now. */
    int remaining;

    /** It has met the expectation. */
    boolean whole;

    Client(Swarm swarm, int index, boolean slow, Track[] tracks) {
        this.swarm = swarm;
        this.index = index;
        this.slow = slow;
        this.tracks = tracks;
    }

    // ---- the connection

    /** A connection is being made. */
    void opening(Channel newChannel) {
        swarm.accounts.connectAttempts++;
        if (wasReady) {
            swarm.accounts.reconnects++;
        }
        attempts++;
        closeCode = 0;
        comeBackAfter = 0;
        cut = false;
        startedAt = System.nanoTime();
        state = State.CONNECTING;
        channel = newChannel;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        if (!ctx.channel().equals(channel)) {
            return;
        }
        state = State.UPGRADING;
        subscribed = 0;
        partial = null;
        write(ctx, request().getBytes(US_ASCII));
    }

    private String request() {
        StringBuilder r = new StringBuilder(256);
        r.append("GET ").append(swarm.settings.load().path());
        if (tracks.length <= MAX_IN_URL) {
            char separator = '?';
            for (Track t : tracks) {
                r.append(separator).append("channel=").append(swarm.channels.name(t.channel));
                separator = '&';
                String after = cursor(t);
                if (after != null) {
                    r.append("&after=").append(after);
                }
            }
        }
        r.append(" HTTP/1.1\r\nHost: ").append(swarm.host(this));
        r.append("\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ")
                .append(swarm.key);
        r.append("\r\nSec-WebSocket-Protocol: tidegate.v1.json\r\n");
        String token = swarm.tokens.of(index);
        if (token != null) {
            r.append("Authorization: Bearer ").append(token).append("\r\n");
        }
        return r.append("\r\n").toString();
    }

    private @Nullable String cursor(Track t) {
        return t.position == Track.NOWHERE ? null : swarm.channels.cursor(t.channel, t.position);
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        ByteBuf in = (ByteBuf) message;
        try {
            if (!ctx.channel().equals(channel) || state == State.AWAY) {
                return;
            }
            swarm.reading(in.readableBytes());
            boolean inFrames = state == State.SUBSCRIBING || state == State.READY;
            partial = swarm.reader.read(partial, in, inFrames, this);
        } finally {
            in.release();
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (ctx.channel().equals(channel)) {
            partial = null;
            swarm.closed(this);
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (!(cause instanceof java.io.IOException)) { // a reset is an event like others
            swarm.accounts.broken++;
            swarm.accounts.example("connection " + index + ": " + cause);
        }
        Sockets.reset(ctx.channel());
    }

    // ---- what the server sends

    @Override
    public boolean head(byte[] b, int from, int to) {
        String head = new String(b, from, to - from, US_ASCII);
        String status = head.length() >= 12 && head.startsWith("HTTP/1.1 ") ? head.substring(9, 12) : "none";
        if (status.equals("101")) {
            if (!swarm.accept.equals(header(head, "sec-websocket-accept"))) {
                broken("Sec-WebSocket-Accept is missing or wrong");
                return false;
            }
            state = State.SUBSCRIBING;
            if (tracks.length > MAX_IN_URL) {
                subscribeByFrames();
            }
            return true;
        }
        if (status.equals("503")) {
            swarm.accounts.refused++;
            String after = header(head, "retry-after");
            comeBackAfter = after.matches("[0-9]{1,4}") ? 1000L * Integer.parseInt(after) : 0;
        } else {
            Accounts.count(swarm.accounts.answers, status);
        }
        end();
        return false;
    }

    private static String header(String head, String name) {
        for (String line : head.split("\r\n", -1)) {
            int colon = line.indexOf(':');
            if (colon > 0 && line.substring(0, colon).toLowerCase(Locale.ROOT).equals(name)) {
                return line.substring(colon + 1).strip();
            }
        }
        return "";
    }

    private void subscribeByFrames() {
        Channel c = channel;
        if (c == null) {
            return;
        }
        for (Track t : tracks) {
            String after = cursor(t);
            String frame = "{\"op\":\"subscribe\",\"channel\":\"" + swarm.channels.name(t.channel) + "\""
                    + (after == null ? "}" : ",\"after\":\"" + after + "\"}");
            byte[] bytes = frame.getBytes(US_ASCII);
            var _ = c.write(swarm.masked(c, 1, bytes, 0, bytes.length), c.voidPromise());
        }
        c.flush();
    }

    @Override
    public boolean ping(byte[] b, int from, int to) {
        swarm.accounts.pings++;
        Channel c = channel;
        if (c != null) {
            var _ = c.writeAndFlush(swarm.masked(c, 10, b, from, Math.min(to, from + 125)), c.voidPromise());
        }
        return true;
    }

    /** Says that it is alive, unasked: for a client that does not read the pings. */
    void beat() {
        Channel c = channel;
        if (c != null && state == State.READY) {
            var _ = c.writeAndFlush(swarm.masked(c, 10, new byte[0], 0, 0), c.voidPromise());
        }
    }

    @Override
    public boolean closing(int code) {
        closeCode = code;
        end();
        return false;
    }

    @Override
    public void broken(String why) {
        swarm.accounts.broken++;
        swarm.accounts.example("connection " + index + ": " + why);
        end();
    }

    private void end() {
        Channel c = channel;
        if (c != null) {
            var _ = c.close();
        }
    }

    @Override
    public boolean text(byte[] b, int from, int to) {
        Frame f = swarm.frame;
        if (!f.read(b, from, to)) {
            broken("no frame: " + new String(b, from, Math.min(80, to - from), US_ASCII));
            return false;
        }
        switch (f.op) {
            case EVENT -> event(b, f);
            case SUBSCRIBED -> subscribed(b, f);
            case POSITION -> positions(b, f);
            case GAP -> gap(b, f);
            case RECONNECT -> comeBackAfter = f.afterMillis();
            case ERROR -> {
                Accounts.count(swarm.accounts.errors, f.code.in(b));
                swarm.accounts.example("connection " + index + ": error " + f.code.in(b) + ": " + f.message.in(b));
                if (state != State.READY) {
                    end(); // what it has subscribed to is not known: tried again as a whole
                    return false;
                }
            }
            case OTHER -> {
                // connected, pong, published …: nothing to account for
            }
        }
        return state == State.SUBSCRIBING || state == State.READY;
    }

    private void event(byte[] b, Frame f) {
        Accounts a = swarm.accounts;
        Track t = track(b, f.channel);
        if (t == null) {
            return;
        }
        Place place = swarm.place;
        boolean placed = f.cursor.present();
        long prev = f.prev();
        if (placed && (!place.read(b, f.cursor.from, f.cursor.to) || prev < -1)) {
            a.broken++;
            a.example("connection " + index + ": event with cursor " + f.cursor.in(b) + " and prev " + prev);
            return;
        }
        Marker marker = swarm.marker;
        if (!f.data.present()
                || !marker.read(b, f.data.from, f.data.to)
                || (placed && !swarm.channels.isOf(t.channel, place))) {
            a.foreign++;
            a.example("connection " + index + ": foreign event " + f.cursor.in(b) + " of " + f.channel.in(b));
            return;
        }
        if (!swarm.idIsRight(t.channel, marker.sequence, b, f)) {
            a.wrongIds++;
            a.example("connection " + index + ": event " + f.cursor.in(b) + " has id '" + f.id.in(b) + "'");
        }
        long faults = a.holes + a.backward;
        long before = t.position;
        boolean fresh = t.see(marker.sequence, a);
        if (placed) {
            t.place(prev, place.offset, fresh, a);
        }
        if (a.holes + a.backward != faults) {
            a.example("connection " + index + ": at offset " + before + " came event " + f.cursor.in(b) + " with prev "
                    + prev);
        }
        if (fresh) {
            a.delivered++;
            a.replayed += f.replay ? 1 : 0;
            a.provisional += placed ? 0 : 1;
            swarm.delivered(this, t.channel, marker, f.replay);
        }
    }

    private void subscribed(byte[] b, Frame f) {
        Track t = track(b, f.channel);
        if (t == null || !placeOf(t, b, f.cursor.from, f.cursor.to)) {
            return;
        }
        if (f.recovery.in(b).equals("pending")) {
            swarm.accounts.pending++;
        }
        if (t.position == Track.NOWHERE) {
            t.position = swarm.place.offset;
        }
        if (++subscribed == tracks.length) {
            swarm.becameReady(this);
        }
    }

    private void positions(byte[] b, Frame f) {
        Members m = swarm.members.of(b, f.channels.from, f.channels.present() ? f.channels.to : f.channels.from);
        while (m.next()) {
            int channelIndex = swarm.channels.indexOf(b, m.nameFrom, m.nameTo);
            Track t = track(channelIndex);
            if (t == null) {
                swarm.accounts.foreign++;
            } else if (placeOf(t, b, m.from, m.to)) {
                swarm.accounts.positions++;
                moveTo(t, swarm.place.offset, "position");
            }
        }
        if (m.malformed()) {
            broken("position frame without channels");
        }
    }

    private void gap(byte[] b, Frame f) {
        swarm.accounts.gaps++;
        swarm.accounts.example("connection " + index + ": gap, reason " + f.reason.in(b));
        Track t = track(b, f.channel);
        Place place = swarm.place;
        if (t == null || !f.cursor.present() || !place.read(b, f.cursor.from, f.cursor.to)) {
            swarm.accounts.broken++;
            return;
        }
        if (!swarm.channels.isOf(t.channel, place)) {
            swarm.channels.set(t.channel, place); // the topic was recreated
            t.position = place.offset;
            return;
        }
        moveTo(t, place.offset, "gap");
    }

    private void moveTo(Track t, long offset, String by) {
        if (offset < t.position) {
            swarm.accounts.backward++;
            swarm.accounts.example(
                    "connection " + index + ": " + by + " leads back from " + t.position + " to " + offset);
        }
        t.position = Math.max(t.position, offset);
    }

    /** Reads a cursor into the loop's place; false, and counted, if it is none of the track's channel. */
    private boolean placeOf(Track t, byte[] b, int from, int to) {
        if (from < 0 || !swarm.place.read(b, from, to)) {
            swarm.accounts.broken++;
            swarm.accounts.example("connection " + index + ": no cursor where one is due");
            return false;
        }
        if (!swarm.channels.isOf(t.channel, swarm.place)) {
            swarm.accounts.foreign++;
            swarm.accounts.example("connection " + index + ": cursor of another log for channel " + t.channel);
            return false;
        }
        return true;
    }

    private @Nullable Track track(byte[] b, Frame.Slice name) {
        Track t = name.present() ? track(swarm.channels.indexOf(b, name.from, name.to)) : null;
        if (t == null) {
            swarm.accounts.foreign++;
            swarm.accounts.example("connection " + index + ": frame of foreign channel '" + name.in(b) + "'");
        }
        return t;
    }

    private @Nullable Track track(int channelIndex) {
        for (Track t : tracks) {
            if (t.channel == channelIndex) {
                return t;
            }
        }
        return null;
    }

    private static void write(ChannelHandlerContext ctx, byte[] bytes) {
        ByteBuf out = ctx.alloc().directBuffer(bytes.length).writeBytes(bytes);
        var _ = ctx.writeAndFlush(out, ctx.voidPromise());
    }
}

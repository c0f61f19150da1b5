package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.JsonValue;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.ResumeToken;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * A client that knows the whole log and so can judge every frame: the continuity rule of the contract, and beyond it
 * that nothing is missing, whatever {@code prev} says.
 */
final class SimClient {
    private static final int MAX_CHANNELS = 5;

    /** One subscription as the client sees it. */
    private static final class Track {
        final String channel;
        final Set<String> provisional = new HashSet<>(); // ids of what came without a cursor
        String pendingId;
        String willBeRefused; // id of a subscribe that comes behind one the server took for it
        Cursor after;
        int last = -1;
        boolean told;
        boolean mayFail;
        boolean askedTwice;
        Cursor position;
        Cursor floor; // of an event stream: what its last id says, while the position is not known
        long replayExpected = -1;
        long replayed;
        Cursor promised;
        boolean gapMustFollow;

        /** Where a slow client gets the newest of each subject: subject to the offset of an event that gave way. */
        final Map<String, Long> gaveWay = new HashMap<>();

        Track(String channel) {
            this.channel = channel;
        }

        boolean is(SlowClient policy) {
            return channel.startsWith(policy + ":");
        }
    }

    private final Simulation sim;
    private final Random random;
    private final String name;
    private final boolean sse;
    private final boolean deflating;
    private final Map<String, Track> tracks = new LinkedHashMap<>();
    private final Map<String, Cursor> memory = new HashMap<>();
    private final List<String> tokens = new ArrayList<>();
    private final List<String> streamChannels = new ArrayList<>();
    private final ByteArrayOutputStream got = new ByteArrayOutputStream();
    private byte[] unparsed = new byte[0];
    private SimChannel channel;
    private boolean stalled;
    private boolean mute;
    private boolean closeSeen;
    private boolean slownessCosts; // it asked for a channel that disconnects slow clients, on this connection
    private int nextId;
    private final StringBuilder sseData = new StringBuilder();
    private String sseEvent = "";
    private String sseId;

    SimClient(Simulation sim, Random random, int number, boolean sse) {
        this.sim = sim;
        this.random = random;
        this.sse = sse;
        this.deflating = !sse && number % 3 == 0;
        this.name = (sse ? "sse" : deflating ? "wsd" : "ws") + number;
    }

    // ---- what it does

    void act() {
        if (channel == null) {
            connect();
            return;
        }
        int r = random.nextInt(100);
        if (r < 60) {
            receive(random.nextInt(4) == 0 ? random.nextInt(40) : Integer.MAX_VALUE);
        } else if (r < 64) {
            stall(!stalled);
        } else if (r < 66) {
            disconnect();
        } else if (r < 67) {
            mute = !mute;
        } else if (!sse) {
            request(r);
        }
    }

    private void request(int r) {
        if (r < 85) {
            String c = sim.anyChannel();
            if (tracks.containsKey(c)) {
                Track t = tracks.get(c);
                if (r < 70 && t.told && t.pendingId == null && !t.askedTwice) {
                    t.askedTwice = true;
                    sim.trace("%s subscribes %s twice", name, c);
                    send("{\"op\":\"subscribe\",\"id\":\"dup\",\"channel\":\"" + c + "\"}");
                }
            } else if (tracks.size() < MAX_CHANNELS) {
                subscribe(c);
            }
        } else if (r < 90 && !tracks.isEmpty()) {
            List<Track> told = tracks.values().stream()
                    .filter(t -> t.told && t.pendingId == null && !t.askedTwice)
                    .toList();
            if (!told.isEmpty()) {
                Track t = told.get(random.nextInt(told.size()));
                t.pendingId = "u" + nextId++;
                sim.trace("%s unsubscribes %s", name, t.channel);
                send("{\"op\":\"unsubscribe\",\"id\":\"" + t.pendingId + "\",\"channel\":\"" + t.channel + "\"}");
            }
        } else if (r < 92) {
            send("{\"op\":\"ping\"}");
        }
    }

    private void follow(Track t) {
        tracks.put(t.channel, t);
        slownessCosts |= t.is(SlowClient.DISCONNECT);
    }

    private void subscribe(String c) {
        Track t = new Track(c);
        t.pendingId = "s" + nextId++;
        choosePosition(t);
        follow(t);
        StringBuilder frame = new StringBuilder("{\"op\":\"subscribe\",\"id\":\"")
                .append(t.pendingId)
                .append("\",\"channel\":\"")
                .append(c)
                .append('"');
        if (t.after != null) {
            frame.append(",\"after\":\"").append(t.after).append('"');
        } else if (t.last >= 0) {
            frame.append(",\"last\":").append(t.last);
        }
        sim.trace("%s subscribes %s after %s last %s", name, c, t.after, t.last);
        send(frame.append('}').toString());
    }

    /** From now, from where it was, from anywhere, or the newest few. */
    private void choosePosition(Track t) {
        SimLog log = sim.gatewayLog;
        int partition = log.partitionOf(t.channel);
        Cursor known = memory.get(t.channel);
        int r = random.nextInt(20);
        if (known != null && r < 12) {
            t.after = known;
        } else if (r < 3) {
            t.last = random.nextInt(5);
        } else if (r < 6) {
            t.after = new Cursor(log.epoch, partition, random.nextLong(log.end(partition) + 2) - 1);
        } else if (r == 6) {
            t.after = new Cursor(log.epoch, partition, sim.tailPosition(partition) + random.nextInt(4));
        } else if (r == 7) {
            t.after = new Cursor("foreign0", random.nextInt(9), random.nextInt(50));
        } else if (r == 8 && random.nextInt(4) == 0) {
            t.after = new Cursor(log.epoch, partition + 1, 3);
            t.mayFail = true;
        }
        if (t.after != null && t.after.epoch().equals(log.epoch) && t.after.offset() > sim.tailPosition(partition)) {
            t.mayFail = true; // ahead of the tail: right if the tail comes there in time
        }
    }

    private void connect() {
        tracks.clear();
        unparsed = new byte[0];
        got.reset();
        closeSeen = false;
        slownessCosts = false;
        stalled = false;
        mute = false;
        sseData.setLength(0);
        sseEvent = "";
        sseId = null;
        LoopShard shard = sim.anyShard();
        List<Handshake.Subscribe> subscribes = sse ? streamSubscribes(shard.tail()) : handshakeSubscribes();
        channel = sim.newChannel(shard);
        sim.trace("%s connects to shard %s with %s", name, shard.index, subscribes);
        Handshake.WireFormat format = sse
                ? Handshake.WireFormat.SSE
                : deflating ? Handshake.WireFormat.WEBSOCKET_DEFLATE : Handshake.WireFormat.WEBSOCKET;
        ((SimLoop) shard.loop).run(() -> shard.open(channel, new Handshake(Identity.ANONYMOUS, format, subscribes)));
    }

    private List<Handshake.Subscribe> handshakeSubscribes() {
        List<Handshake.Subscribe> out = new ArrayList<>();
        if (random.nextInt(3) == 0) {
            for (String c : List.copyOf(memory.keySet())) {
                if (out.size() < MAX_CHANNELS) {
                    Track t = new Track(c);
                    choosePosition(t);
                    follow(t);
                    out.add(new Handshake.Subscribe(new ChannelName(c), t.after, t.last));
                }
            }
        }
        return out;
    }

    private List<Handshake.Subscribe> streamSubscribes(Tail tail) {
        if (streamChannels.isEmpty() || (tokens.isEmpty() && random.nextBoolean())) {
            streamChannels.clear();
            int n = 1 + random.nextInt(MAX_CHANNELS);
            for (int i = 0; i < n; i++) {
                String c = sim.anyChannel();
                if (!streamChannels.contains(c)) {
                    streamChannels.add(c);
                }
            }
            tokens.clear();
        }
        ResumeToken token = null;
        if (!tokens.isEmpty()) {
            int back = random.nextInt(3) == 0 ? random.nextInt(Math.min(tokens.size(), 10)) : 0;
            token = ResumeToken.parse(tokens.get(tokens.size() - 1 - back));
            sim.trace("%s resumes from %s", name, token);
        }
        boolean fromSomewhere = token == null && random.nextInt(3) == 0;
        List<Handshake.Subscribe> out = new ArrayList<>();
        for (String c : streamChannels) {
            Track t = new Track(c);
            t.told = true; // an event stream is not told: it knows what it asked for
            if (fromSomewhere) {
                choosePosition(t);
                t.position = t.after;
            } else if (token != null) {
                t.after = token.cursor(sim.gatewayLog.partitionOf(c));
                t.position = t.after;
                t.mayFail = t.after != null && t.after.offset() > sim.tailPosition(t.after.partition());
            }
            if (t.after == null && t.last <= 0) {
                // From now on. A stream is not told where that is, but the model knows.
                int partition = sim.gatewayLog.partitionOf(c);
                t.position = new Cursor(tail.epoch(), partition, tail.position(partition));
            }
            follow(t);
            out.add(new Handshake.Subscribe(new ChannelName(c), t.after, t.last));
        }
        return out;
    }

    void stall(boolean on) {
        stalled = on;
        sim.trace("%s %s", name, on ? "stops reading" : "reads on");
        channel.setReading(!on);
    }

    /** The connection breaks: what was on its way is lost. */
    void disconnect() {
        sim.trace("%s disconnects", name);
        channel.disconnect0();
        ended();
    }

    private void ended() {
        if (!sse) {
            for (Track t : tracks.values()) {
                if (t.position != null) {
                    memory.put(t.channel, t.position);
                } else if (t.after != null && !t.mayFail) {
                    memory.put(t.channel, t.after);
                }
            }
        }
        channel.dropInbound();
        channel = null;
    }

    private void send(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        channel.send(frame(0x1, bytes));
    }

    /** A masked frame; the mask is zero, so the payload stays readable. */
    private static ByteBuf frame(int opcode, byte[] payload) {
        ByteBuf b = Unpooled.buffer();
        b.writeByte(0x80 | opcode);
        if (payload.length < 126) {
            b.writeByte(0x80 | payload.length);
        } else {
            b.writeByte(0x80 | 126).writeShort(payload.length);
        }
        return b.writeInt(0).writeBytes(payload);
    }

    // ---- the end of a history

    boolean connected() {
        return channel != null;
    }

    void calmDown() {
        if (channel != null) {
            mute = false;
            if (stalled) {
                stall(false);
            }
        }
    }

    /** Null if every channel stands at the end of the log, else what is missing. */
    String unfinished() {
        if (channel == null) {
            return null;
        }
        for (Track t : tracks.values()) {
            int partition = sim.gatewayLog.partitionOf(t.channel);
            Cursor end = new Cursor(sim.gatewayLog.epoch, partition, sim.gatewayLog.end(partition));
            long lost = sim.gatewayLog.lostToTailer[partition];
            if (t.gaveWay.values().stream().anyMatch(offset -> offset >= lost)) {
                return name + " " + t.channel + ": a newer one never came for " + t.gaveWay;
            }
            if (!end.equals(t.position == null ? t.floor : t.position)) {
                return name + " " + t.channel + ": at " + t.position + ", the log's end is " + end
                        + (t.pendingId != null ? ", waiting for an answer" : "");
            }
        }
        return null;
    }

    int channels() {
        return tracks.size();
    }

    // ---- what it receives

    /** Takes in this many of the bytes that have arrived. */
    void receive(int most) {
        channel.deliver();
        got.writeBytes(channel.take());
        byte[] all = got.toByteArray();
        int n = Math.min(most, all.length);
        got.reset();
        got.write(all, n, all.length - n);
        byte[] bytes = Arrays.copyOf(unparsed, unparsed.length + n);
        System.arraycopy(all, 0, bytes, unparsed.length, n);
        int used = sse ? parseStream(bytes) : parseFrames(bytes);
        unparsed = Arrays.copyOfRange(bytes, used, bytes.length);
        if (!channel.isOpen() && got.size() == 0) {
            sim.trace("%s sees the end of its connection", name);
            ended();
        }
    }

    private int parseFrames(byte[] b) {
        int at = 0;
        while (true) {
            if (b.length - at < 2) {
                return at;
            }
            int opcode = b[at] & 0xff;
            int length = b[at + 1] & 0xff;
            int head = 2;
            if (length == 126) {
                if (b.length - at < 4) {
                    return at;
                }
                length = ((b[at + 2] & 0xff) << 8) | (b[at + 3] & 0xff);
                head = 4;
            }
            if (b.length - at < head + length) {
                return at;
            }
            check(!closeSeen, "a frame after the close frame");
            byte[] payload = Arrays.copyOfRange(b, at + head, at + head + length);
            at += head + length;
            switch (opcode) {
                case 0x81 -> onText(payload);
                case 0xc1 -> {
                    check(deflating, "a compressed frame that was not agreed on");
                    onText(Deflated.inflate(payload));
                }
                case 0x89 -> {
                    if (!mute) {
                        channel.send(frame(0xA, payload));
                    }
                }
                case 0x8A -> {}
                case 0x88 -> {
                    int code = ((payload[0] & 0xff) << 8) | (payload[1] & 0xff);
                    check(code == 4002 || code == 4003 || (code == 4004 && slownessCosts), "closed with " + code);
                    sim.trace("%s is closed with %s", name, code);
                    closeSeen = true;
                }
                default -> throw fail("opcode " + opcode);
            }
        }
    }

    private int parseStream(byte[] b) {
        int at = 0;
        for (int i = 0; i < b.length; i++) {
            if (b[i] == '\n') {
                onLine(new String(b, at, i - at, StandardCharsets.UTF_8));
                at = i + 1;
            }
        }
        return at;
    }

    private void onLine(String line) {
        if (line.isEmpty()) {
            if (!sseData.isEmpty()) {
                byte[] data = sseData.toString().getBytes(StandardCharsets.UTF_8);
                switch (sseEvent) {
                    case "gap", "tidegate-error" -> onText(data);
                    default -> onText(data);
                }
            }
            if (sseId != null) {
                onToken(sseId);
            }
            sseData.setLength(0);
            sseEvent = "";
            sseId = null;
        } else if (line.startsWith("data: ")) {
            check(sseData.isEmpty(), "two data lines");
            sseData.append(line, 6, line.length());
        } else if (line.startsWith("event: ")) {
            sseEvent = line.substring(7);
        } else if (line.startsWith("id: ")) {
            sseId = line.substring(4);
        } else {
            check(line.equals(":"), "line '" + line + "'");
        }
    }

    /** From here on the browser would resume from this id: it must skip nothing that was not received. */
    private void onToken(String text) {
        sim.trace("%s id %s", name, text);
        ResumeToken token;
        try {
            token = ResumeToken.parse(text);
        } catch (ProtocolException e) {
            throw fail("id " + text + ": " + e.getMessage());
        }
        for (Track t : tracks.values()) {
            SimLog log = sim.log(token.epoch());
            Cursor c = token.cursor(log.partitionOf(t.channel));
            check(c != null, "id " + text + " does not cover " + t.channel);
            if (t.position == null) {
                t.floor = c;
            } else if (!t.position.epoch().equals(c.epoch())) {
                throw fail("id " + text + " is of another epoch than " + t.position + " of " + t.channel
                        + ", and no gap was told");
            } else if (c.offset() > t.position.offset()) {
                noneBetween(t, c.offset());
                t.position = c;
            }
        }
        tokens.add(text);
    }

    private void onText(byte[] json) {
        sim.trace("%s < %s", name, new String(json, StandardCharsets.UTF_8));
        Map<String, JsonValue> m = new HashMap<>();
        for (JsonValue.Member e : JsonValue.parse(json, 0, json.length).members()) {
            m.put(e.name(), e.value());
        }
        switch (text(m, "op")) {
            case "connected", "pong" -> {}
            case "subscribed" -> onSubscribed(m);
            case "unsubscribed" -> onUnsubscribed(m);
            case "event" -> onEvent(m);
            case "position" -> onPosition(m);
            case "gap" -> onGap(m);
            case "error" -> onError(m);
            default -> throw fail("op " + text(m, "op"));
        }
    }

    private void onSubscribed(Map<String, JsonValue> m) {
        String id = textOrNull(m, "id");
        if ("dup".equals(id)) {
            // The first subscription had ended when this one came: a new one, from now on. If the client has heard of
            // the end and subscribed
            // again meanwhile, that request comes third and is refused.
            Track asked = tracks.get(text(m, "channel"));
            Track fresh = new Track(text(m, "channel"));
            fresh.willBeRefused = asked == null ? null : asked.pendingId;
            follow(fresh);
            id = null;
        }
        Track t = track(m);
        check(!t.told, "subscribed twice");
        check(java.util.Objects.equals(id, t.pendingId), "answer to " + id + ", not " + t.pendingId);
        Cursor cursor = Cursor.parse(text(m, "cursor"));
        String recovery = text(m, "recovery");
        t.told = true;
        t.pendingId = null;
        if (t.after == null && t.last <= 0) {
            check(recovery.equals("none"), "recovery " + recovery + " of nothing asked");
            check(
                    !cursor.epoch().equals(sim.gatewayLog.epoch)
                            || cursor.offset() <= sim.tailPosition(cursor.partition()),
                    "subscribed at " + cursor + ", beyond the tail");
            t.position = cursor;
            return;
        }
        t.position = t.after;
        switch (recovery) {
            case "complete" -> {}
            case "gap" -> t.gapMustFollow = true;
            case "pending" -> {}
            default -> throw fail("recovery " + recovery);
        }
        if (m.containsKey("replayed")) {
            t.replayExpected = m.get("replayed").integer("replayed", 0, Long.MAX_VALUE);
            t.promised = cursor;
            replayedSoFar(t);
        }
    }

    /** "The position once what follows from replay has been sent." */
    private void replayedSoFar(Track t) {
        if (t.promised != null && t.replayed == t.replayExpected && !t.gapMustFollow) {
            if (t.position == null || t.position.comparableTo(t.promised)) {
                if (t.position != null) {
                    noneBetween(t, t.promised.offset());
                }
                if (t.position == null || t.promised.offset() > t.position.offset()) {
                    t.position = t.promised;
                }
            }
            t.promised = null;
        }
    }

    private void onUnsubscribed(Map<String, JsonValue> m) {
        Track t = track(m);
        String id = textOrNull(m, "id");
        check(id == null ? m.containsKey("reason") : id.equals(t.pendingId), "unsubscribed " + id);
        check(id != null || sim.replay.refusals > 0 || t.mayFail, "unsubscribed by the server");
        tracks.remove(t.channel);
        if (t.position != null) {
            memory.put(t.channel, t.position);
        }
    }

    private void onEvent(Map<String, JsonValue> m) {
        Track t = track(m);
        check(t.told, "an event before subscribed");
        check(!t.gapMustFollow, "an event where a gap was to come first");
        if (!m.containsKey("cursor")) {
            onProvisional(t, m);
            return;
        }
        Cursor cursor = Cursor.parse(text(m, "cursor"));
        long prev = m.get("prev").integer("prev", -1, Long.MAX_VALUE);
        SimLog log = sim.log(cursor.epoch());
        SimLog.Event e = log.event(t.channel, cursor.offset());
        check(e != null && cursor.partition() == log.partitionOf(t.channel), "no such event: " + cursor);
        check(e.id().equals(text(m, "id")) && e.data().equals(m.get("data").rawText()), "another event at " + cursor);
        for (SimLog.Event between : log.events(t.channel, prev, cursor.offset() - 1)) {
            check(
                    between.offset() < log.lostToTailer[cursor.partition()],
                    "prev " + prev + " of " + cursor + " passes over " + between.offset());
        }
        boolean replay = m.containsKey("replay");
        if (t.position != null) {
            check(t.position.comparableTo(cursor), "event " + cursor + " at position " + t.position);
            check(
                    prev <= t.position.offset() && t.position.offset() < cursor.offset(),
                    "event " + cursor + " with prev " + prev + " at position " + t.position);
            noneBetween(t, cursor.offset() - 1);
        } else {
            check(sse || replay, "the first event of the last " + t.last + " is not replayed");
        }
        if (replay) {
            t.replayed++;
            check(t.promised == null || t.replayed <= t.replayExpected, "more replayed than promised");
        } else {
            check(t.promised == null, "a live event before all that was promised from replay");
        }
        check(t.last <= 0 || !replay || sse || t.replayed <= t.last + 0L || t.position != null, "more than the last n");
        t.position = cursor;
        t.gaveWay.remove(e.subject());
        replayedSoFar(t);
        sim.delivered++;
    }

    /** What came over Redis: it says nothing of a position, and moves none. */
    private void onProvisional(Track t, Map<String, JsonValue> m) {
        String id = text(m, "id");
        SimRedis.Published p = sim.redis.published(id);
        check(p != null && p.channel().equals(t.channel), "a provisional event that nobody published: " + id);
        check(p.data().equals(m.get("data").rawText()), "another event under the id " + id);
        check(!m.containsKey("prev") && !m.containsKey("replay"), "a provisional event with a place: " + id);
        if (!p.ephemeral()) {
            t.provisional.add(id);
        }
        sim.provisional++;
    }

    private void onPosition(Map<String, JsonValue> m) {
        for (JsonValue.Member e : m.get("channels").members()) {
            Track t = tracks.get(e.name());
            check(t != null && t.told, "a position of " + e.name() + ", which is not subscribed");
            check(!t.gapMustFollow, "a position where a gap was to come first");
            Cursor cursor = Cursor.parse(e.value().string("position"));
            if (t.position != null) {
                check(
                        t.position.comparableTo(cursor) && cursor.offset() >= t.position.offset(),
                        "position " + cursor + " at position " + t.position);
                noneBetween(t, cursor.offset());
            }
            t.position = cursor;
        }
    }

    private void onGap(Map<String, JsonValue> m) {
        Track t = track(m);
        check(t.told, "a gap before subscribed");
        t.gapMustFollow = false;
        Cursor after = Cursor.parse(text(m, "after"));
        Cursor cursor = Cursor.parse(text(m, "cursor"));
        if (t.position != null) {
            check(
                    t.position.comparableTo(after) && after.offset() >= t.position.offset(),
                    "a gap after " + after + " at position " + t.position);
            noneBetween(t, after.offset());
        }
        switch (text(m, "reason")) {
            case "expired" -> {
                check(after.comparableTo(cursor) && cursor.offset() > after.offset(), "gap " + after + " to " + cursor);
                SimLog log = sim.log(cursor.epoch());
                for (SimLog.Event e : log.events(t.channel, after.offset(), cursor.offset())) {
                    check(e.offset() < log.start[cursor.partition()], "not expired: " + e.offset());
                }
            }
            case "epoch" -> {
                check(!after.epoch().equals(cursor.epoch()), "gap " + after + " to " + cursor);
                t.gaveWay.clear();
            }
            case "overflow" -> onOverflow(t, after, cursor);
            default -> throw fail("gap " + text(m, "reason"));
        }
        t.position = cursor;
        sim.gaps++;
        replayedSoFar(t);
    }

    /** Events were passed over because this client did not read; only where its namespace says so, and only if there are any. */
    private void onOverflow(Track t, Cursor after, Cursor cursor) {
        boolean conflates = t.is(SlowClient.CONFLATE);
        check(conflates || t.is(SlowClient.DROP), "a gap for reading slowly");
        check(after.comparableTo(cursor) && cursor.offset() > after.offset(), "gap " + after + " to " + cursor);
        SimLog log = sim.log(cursor.epoch());
        List<SimLog.Event> skipped = log.events(t.channel, after.offset(), cursor.offset());
        check(
                !skipped.isEmpty() || log.lostToTailer[cursor.partition()] > after.offset(),
                "a gap without an event in it: " + after + " to " + cursor);
        if (conflates) {
            skipped.forEach(e -> t.gaveWay.put(e.subject(), e.offset()));
        }
        sim.overflows++;
    }

    private void onError(Map<String, JsonValue> m) {
        String id = textOrNull(m, "id");
        String code = text(m, "code");
        if ("dup".equals(id)) {
            check(code.equals("already_subscribed"), "error " + code);
            track(m).askedTwice = false;
            return;
        }
        if (id != null && id.startsWith("u")) {
            check(code.equals("not_subscribed") && sim.replay.refusals > 0, "error " + code + " for " + id);
            return; // the server had ended it
        }
        Track t = track(m);
        if (id != null && id.equals(t.willBeRefused)) {
            check(code.equals("already_subscribed"), "error " + code + " for " + id);
            t.willBeRefused = null;
            return;
        }
        check(java.util.Objects.equals(id, t.pendingId) || (id == null && t.told), "error for " + id);
        switch (code) {
            case "cursor_invalid", "unavailable" -> check(t.mayFail, "error " + code);
            case "bad_request" -> check(sim.replay.refusals > 0, "error " + code);
            default -> throw fail("error " + code);
        }
        if (t.told && !sse) {
            return; // unsubscribed follows
        }
        tracks.remove(t.channel);
        if (sse) {
            streamChannels.remove(t.channel);
            tokens.clear();
        }
    }

    private void noneBetween(Track t, long upTo) {
        List<SimLog.Event> missing = sim.log(t.position.epoch()).events(t.channel, t.position.offset(), upTo).stream()
                .filter(e -> !t.provisional.contains(e.id()))
                .toList();
        check(missing.isEmpty(), "missed of " + t.channel + " after " + t.position + ": " + missing);
    }

    private Track track(Map<String, JsonValue> m) {
        Track t = tracks.get(text(m, "channel"));
        check(t != null, "a frame of a channel that is not subscribed: " + text(m, "channel"));
        return t;
    }

    private static String text(Map<String, JsonValue> m, String field) {
        return m.get(field).string(field);
    }

    private static String textOrNull(Map<String, JsonValue> m, String field) {
        return m.containsKey(field) ? m.get(field).string(field) : null;
    }

    private void check(boolean ok, String what) {
        if (!ok) {
            throw fail(what);
        }
    }

    private AssertionError fail(String what) {
        return new AssertionError(name + ": " + what);
    }
}

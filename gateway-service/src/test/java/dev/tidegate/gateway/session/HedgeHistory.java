package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.gateway.fanout.HedgeRing;
import dev.tidegate.gateway.fanout.Interest;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.FallbackCopy;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;

/**
 * One history of the hedge and its reconciliation, from its seed, and nothing else: the real {@link HedgeRing} and {@link
 * ProvisionalWindow}, with Kafka and Redis as sources that delay, reorder, repeat, refuse and drop, a tailer that freezes
 * and fails, and loops, subscribers and clients in their simplest form. A client knows all that was ever published, and
 * judges what it gets.
 */
final class HedgeHistory {
    private static final long MS = 1_000_000L;
    private static final long HEDGE_AFTER = 250 * MS;
    private static final byte[] PAYLOAD = {'1'};

    /** A seeded fault: the simulation must find it. */
    enum Fault {
        NONE,
        /** A record is dispatched before its id is noted. */
        NOTED_AFTER_DISPATCH,
        /** A copy is released, and handed over only later. */
        HANDED_OVER_LATE,
        /** Whoever missed a provisional event is not noted. */
        MISS_NOT_NOTED,
        /** No position takes the place of an event that a subscriber has. */
        NO_POSITION,
        /** A subscriber counts as having had what was delivered before it came. */
        JOINS_AT_ZERO,
        /** A copy is delivered to whoever wants its channel by then. */
        INTEREST_NOT_COMPARED
    }

    private record Event(int channel, String id, byte[] idBytes, FallbackCopy copy) {}

    private record Stored(Event event, long offset, boolean repeat) {}

    /** What a loop is given: a segment of records, or one copy. */
    private record Task(int channel, List<Item> items, boolean provisional) {}

    /** @param marked whether the record carries its id, since its copy was released */
    private record Item(Stored stored, Event event, long prev, boolean marked) {}

    /** An ordered copy that has come and whose record has not. */
    private record Arrival(Event event, long at) {}

    private enum Standing {
        LIVE,
        PARKED,
        MERGING
    }

    private static final class Subscriber {
        final int channel;
        final int loop;
        Standing standing = Standing.LIVE;
        boolean slow;
        int lastMissed;
        long position; // of the server's view while not live
        long splice;
        final ArrayDeque<Item> buffer = new ArrayDeque<>();

        /** When it made its channel wanted, before all copies where the channel was wanted already. */
        int first = -1;

        /** Where the tail stood then. */
        long joinedAt;

        // The client's side.
        long at;
        int spell;
        final Map<String, Integer> had = new HashMap<>(); // id to the spell in which it last came live
        final Set<String> seen;

        Subscriber(int channel, int loop, long position, Set<String> seen) {
            this.channel = channel;
            this.loop = loop;
            this.at = position;
            this.position = position;
            this.seen = seen;
        }
    }

    private static final class Channel {
        final byte[] name;
        int partition;
        Delivery delivery = Delivery.ORDERED;
        long lastOffset = Long.MIN_VALUE;
        long base = Long.MIN_VALUE;
        int subscribers;
        Interest interest;

        Channel(String name) {
            this.name = name.getBytes(StandardCharsets.UTF_8);
        }
    }

    private final class Loop {
        final ArrayDeque<Task> queue = new ArrayDeque<>();
        final ProvisionalWindow[] windows = new ProvisionalWindow[channels.length];
        final int[] deliveries = new int[channels.length];
    }

    private final Random random;
    private final Fault fault;
    private final GatewayMetrics metrics = new GatewayMetrics();
    private final HedgeRing ring;
    private final int waitingBound;
    private final int windowIds;
    private final Channel[] channels;
    private final Loop[] loops;
    private final List<Subscriber> subscribers = new ArrayList<>();
    private final List<List<Stored>> log = new ArrayList<>();
    private final long[] next;
    private final long[] tail;
    private final List<Event> unstored = new ArrayList<>();
    private final List<Event> onTheWay = new ArrayList<>();
    private final List<Task> unhanded = new ArrayList<>();
    private long now = 1;
    private boolean frozen;
    private boolean calm;
    private int serial;
    private final boolean longWaits;
    private final boolean fewIds;
    private final List<Event> justReleased = new ArrayList<>();
    private final Set<String> released = new HashSet<>();
    private final Set<String> noted = new HashSet<>();
    private final List<Arrival> arrivals = new ArrayList<>();

    /** By id, when its last copy was taken in, counted in {@link #moments}. */
    private final Map<String, Integer> takenIn = new HashMap<>();

    private int moments;
    private final long[] movedAt;
    int provisional;
    int positions;
    private final List<String> trace;

    HedgeHistory(long seed, Fault fault, List<String> trace) {
        this.random = new Random(seed);
        this.fault = fault;
        this.trace = trace;
        int partitions = 1 + random.nextInt(2);
        boolean tight = random.nextInt(4) == 0;
        waitingBound = tight ? 1 + random.nextInt(3) : 1000;
        windowIds = random.nextInt(4) == 0 ? 1 + random.nextInt(3) : 1000;
        fewIds = random.nextInt(4) == 0;
        longWaits = random.nextInt(3) == 0;
        ring = new HedgeRing(new HedgeRing.Settings(HEDGE_AFTER, waitingBound, 1 << 20, fewIds ? 16 : 1024), metrics);
        ring.partitions(partitions);
        channels = new Channel[1 + random.nextInt(3)];
        for (int i = 0; i < channels.length; i++) {
            channels[i] = new Channel("c" + i);
            channels[i].partition = i % partitions;
            channels[i].delivery = random.nextInt(4) == 0
                    ? Delivery.FASTEST
                    : random.nextInt(8) == 0 ? Delivery.EPHEMERAL : Delivery.ORDERED;
        }
        loops = new Loop[1 + random.nextInt(2)];
        for (int i = 0; i < loops.length; i++) {
            loops[i] = new Loop();
        }
        next = new long[partitions];
        tail = new long[partitions];
        movedAt = new long[partitions];
        for (int p = 0; p < partitions; p++) {
            log.add(new ArrayList<>());
            tail[p] = -1;
        }
    }

    void run(int steps) {
        for (int i = 0; i < 2; i++) {
            join(new HashSet<>());
        }
        for (int i = 0; i < steps; i++) {
            step();
            bounds();
        }
        settle();
    }

    private void step() {
        switch (random.nextInt(24)) {
            case 0, 1, 2, 3 -> publish();
            case 4, 5, 6 -> store();
            case 7, 8, 9 -> poll();
            case 10, 11, 12, 13 -> redis(random.nextInt(4));
            case 14, 15, 16 -> loop(loops[random.nextInt(loops.length)]);
            case 17, 18 -> now += random.nextInt(120) * MS;
            case 19 -> {
                now += random.nextInt(longWaits && random.nextInt(4) == 0 ? 40_000 : 600) * MS;
                if (random.nextInt(3) == 0) {
                    frozen = !frozen;
                    say("Kafka is %s", frozen ? "cut" : "back");
                }
            }
            case 20 -> {
                if (subscribers.size() < 5) {
                    join(new HashSet<>());
                }
            }
            default -> disturb(anySubscriber());
        }
    }

    private void bounds() {
        check(ring.waiting() <= waitingBound * tail.length, "%s copies wait", ring.waiting());
    }

    // ---- publishers, Kafka, Redis

    private void publish() {
        int c = random.nextInt(channels.length);
        String id = "e" + serial++;
        byte[] idBytes = id.getBytes(StandardCharsets.UTF_8);
        boolean ephemeral = channels[c].delivery == Delivery.EPHEMERAL;
        FallbackCopy copy =
                new FallbackCopy(ephemeral, channels[c].name, idBytes, null, null, null, 0, null, null, PAYLOAD);
        Event e = new Event(c, id, idBytes, copy);
        if (!ephemeral && random.nextInt(12) > 0) {
            unstored.add(e); // else it is refused, and only its copy is out
        }
        for (int copies = random.nextInt(5) == 0 ? random.nextInt(3) : 1; copies > 0; copies--) {
            onTheWay.add(e);
        }
        say("publish %s to c%s", id, c);
    }

    /** Kafka takes an event; nearly in the order of publishing, now and then twice. */
    private void store() {
        if (unstored.isEmpty()) {
            return;
        }
        boolean again = random.nextInt(30) == 0;
        Event e = again
                ? unstored.get(random.nextInt(unstored.size()))
                : unstored.remove(random.nextInt(Math.min(2, unstored.size())));
        append(e);
    }

    private void append(Event e) {
        List<Stored> p = log.get(channels[e.channel].partition);
        boolean repeat = false;
        for (Stored s : p) {
            repeat |= s.event.id.equals(e.id);
        }
        p.add(new Stored(e, p.size(), repeat));
        say("stored %s at %s", e.id, p.size() - 1);
    }

    // ---- the tailer

    private void poll() {
        if (frozen) {
            return;
        }
        ring.busy(now);
        now += random.nextInt(8) == 0 ? random.nextInt(900) * MS : 0; // loops that are full make it wait
        long[] to = next.clone();
        for (int p = 0; p < next.length; p++) {
            to[p] = calm ? log.get(p).size() : Math.min(log.get(p).size(), next[p] + random.nextInt(4));
            tail[p] = Math.max(tail[p], to[p] - 1);
        }
        boolean fails = !calm && random.nextInt(20) == 0;
        if (fault == Fault.NOTED_AFTER_DISPATCH) {
            dispatch(to, false);
            redis(2);
            note(to);
        } else {
            Set<Stored> marked = note(to);
            if (!fails) {
                dispatch(to, marked);
            }
        }
        if (!fails) {
            for (int p = 0; p < next.length; p++) {
                if (to[p] > next[p]) {
                    next[p] = to[p];
                    movedAt[p] = ring.now(now);
                    ring.moved(p, movedAt[p]);
                }
            }
        }
        ring.free(now);
    }

    private Set<Stored> note(long[] to) {
        Set<Stored> marked = new HashSet<>();
        ring.lock();
        try {
            for (int p = 0; p < next.length; p++) {
                for (long o = next[p]; o < to[p]; o++) {
                    Stored s = log.get(p).get((int) o);
                    Channel c = channels[s.event.channel];
                    if (c.subscribers > 0) {
                        arrivals.removeIf(a -> a.event.id.equals(s.event.id));
                        noted.add(s.event.id);
                    }
                    if (c.subscribers > 0 && ring.brought(p, c.name, s.event.idBytes, ring.now(now))) {
                        marked.add(s);
                    }
                }
            }
        } finally {
            ring.unlock();
        }
        return marked;
    }

    private void dispatch(long[] to, boolean none) {
        dispatch(to, none ? new HashSet<>() : Set.of());
    }

    private void dispatch(long[] to, Set<Stored> marked) {
        for (int i = 0; i < channels.length; i++) {
            Channel c = channels[i];
            List<Item> items = new ArrayList<>(2);
            for (long o = next[c.partition]; o < to[c.partition]; o++) {
                Stored s = log.get(c.partition).get((int) o);
                if (s.event.channel == i && c.subscribers > 0) {
                    long prev = c.lastOffset != Long.MIN_VALUE ? c.lastOffset : c.base;
                    if (o > prev) {
                        items.add(new Item(s, s.event, prev, marked.contains(s)));
                        c.lastOffset = o;
                    }
                }
            }
            if (!items.isEmpty()) {
                hand(new Task(i, items, false));
            }
        }
    }

    private void hand(Task task) {
        for (int i = 0; i < loops.length; i++) {
            if (wants(i, task.channel)) {
                loops[i].queue.add(task);
            }
        }
    }

    private boolean wants(int loop, int channel) {
        for (Subscriber s : subscribers) {
            if (s.loop == loop && s.channel == channel) {
                return true;
            }
        }
        return false;
    }

    // ---- the Redis tier

    private void redis(int most) {
        if (!unhanded.isEmpty()) {
            unhanded.forEach(this::hand);
            unhanded.clear();
        }
        ring.lock();
        try {
            long at = ring.now(now);
            boolean hedging = ring.hedging() > 0;
            List<Task> released = new ArrayList<>(2);
            HedgeRing.Releases to = new HedgeRing.Releases() {
                @Override
                public boolean wanted(Interest interest) {
                    return fault == Fault.INTEREST_NOT_COMPARED || isCurrent(interest);
                }

                @Override
                public void release(Interest interest, FallbackCopy copy, boolean hasRecord) {
                    HedgeHistory.this.release(copy, hasRecord, released);
                }
            };
            for (int i = 0; i < most && !onTheWay.isEmpty(); i++) {
                int which = random.nextInt(4) == 0 ? random.nextInt(onTheWay.size()) : 0;
                Event e = onTheWay.remove(which);
                Channel c = channels[e.channel];
                if (random.nextInt(12) == 0 || c.subscribers == 0) {
                    continue;
                }
                say("copy of %s", e.id);
                if (c.delivery == Delivery.ORDERED) {
                    arrivals.add(new Arrival(e, at));
                }
                takenIn.put(e.id, moments++);
                ring.arrived(c.interest, e.copy, c.delivery, at, to);
            }
            ring.due(at, to);
            inTime(at, hedging);
            if (fault == Fault.HANDED_OVER_LATE && random.nextBoolean()) {
                unhanded.addAll(released);
            } else {
                released.forEach(this::hand);
            }
        } finally {
            ring.unlock();
        }
    }

    /** No copy is released before its time, and none after it. */
    private void inTime(long at, boolean hedging) {
        check(ring.dueIn(at) > 0, "something is due after what was due");
        boolean first = !hedging;
        for (Event e : justReleased) {
            Channel c = channels[e.channel];
            if (c.delivery == Delivery.ORDERED && first) {
                first = false; // what comes after it in this turn may follow it at once
                boolean due = false;
                for (Arrival a : arrivals) {
                    due |= a.event.id.equals(e.id) && isDue(a, at);
                }
                check(due || mayBeForgotten(), "%s is released before its time", e.id);
            }
        }
        for (Event e : justReleased) {
            arrivals.removeIf(a -> a.event.id.equals(e.id));
        }
        justReleased.clear();
        if (waitingBound > 1 << 9 && !mayBeForgotten()) {
            for (Arrival a : arrivals) {
                Channel c = channels[a.event.channel];
                check(!isDue(a, at) || c.subscribers == 0 || known(a.event), "%s is not released", a.event.id);
            }
        }
    }

    private boolean isDue(Arrival a, long at) {
        long moved = movedAt[channels[a.event.channel].partition];
        return at - Math.max(a.at, moved) >= HEDGE_AFTER || at - a.at >= 4 * HEDGE_AFTER;
    }

    private boolean known(Event e) {
        return released.contains(e.id) || noted.contains(e.id);
    }

    private boolean isCurrent(Interest interest) {
        for (Channel c : channels) {
            if (c.interest == interest) {
                return true;
            }
        }
        return false;
    }

    private void release(FallbackCopy copy, boolean hasRecord, List<Task> to) {
        String id = new String(copy.id(), StandardCharsets.UTF_8);
        int channel = copy.channel()[1] - '0';
        say("released %s", id);
        released.add(id);
        Event e = new Event(channel, id, copy.id(), copy);
        justReleased.add(e);
        provisional++;
        if (channels[channel].subscribers > 0) {
            to.add(new Task(channel, List.of(new Item(null, e, 0, hasRecord)), true));
        }
    }

    // ---- the loops

    private void loop(Loop loop) {
        Task t = loop.queue.poll();
        if (t == null) {
            return;
        }
        int index = loop == loops[0] ? 0 : 1;
        if (t.provisional) {
            copy(loop, index, t);
        } else {
            records(loop, index, t);
        }
    }

    private void copy(Loop loop, int index, Task t) {
        Item item = t.items.getFirst();
        if (item.marked) {
            ProvisionalWindow w = loop.windows[t.channel];
            if (w == null) {
                w = new ProvisionalWindow(windowIds);
                loop.windows[t.channel] = w;
            }
            if (!w.delivered(item.event.idBytes, ++loop.deliveries[t.channel])) {
                metrics.idsForgotten.increment();
            }
        }
        for (Subscriber s : subscribers) {
            if (s.loop != index || s.channel != t.channel) {
                continue;
            }
            if (s.standing == Standing.LIVE && !s.slow) {
                gotProvisional(s, item.event);
            } else if (item.marked && fault != Fault.MISS_NOT_NOTED) {
                s.lastMissed = loop.deliveries[t.channel];
                s.spell++;
            } else {
                s.spell++;
            }
        }
    }

    private void records(Loop loop, int index, Task t) {
        ProvisionalWindow w = loop.windows[t.channel];
        int[] numbers = new int[t.items.size()];
        for (int i = 0; w != null && i < numbers.length; i++) {
            Item item = t.items.get(i);
            numbers[i] = item.marked ? w.came(item.event.idBytes) : 0;
        }
        if (w != null && w.isEmpty()) {
            loop.windows[t.channel] = null;
        }
        for (Subscriber s : subscribers) {
            if (s.loop == index && s.channel == t.channel) {
                records(s, t, numbers);
            }
        }
    }

    private void records(Subscriber s, Task t, int[] numbers) {
        for (int i = 0; i < numbers.length; i++) {
            Item item = t.items.get(i);
            if (item.stored.offset <= s.position || s.standing == Standing.PARKED) {
                continue;
            }
            if (s.standing == Standing.MERGING) {
                if (item.stored.offset > s.splice) {
                    s.buffer.add(item);
                }
            } else if (s.slow) {
                s.standing = Standing.PARKED;
                s.spell++;
                say("parked at %s", s.position);
            } else {
                s.position = item.stored.offset;
                if (numbers[i] != 0 && ProvisionalWindow.has(numbers[i], s.lastMissed)) {
                    gotPosition(s, item);
                } else {
                    gotRecord(s, item.stored, item.prev, false);
                }
            }
        }
    }

    // ---- subscribers

    private Subscriber anySubscriber() {
        return subscribers.isEmpty() ? null : subscribers.get(random.nextInt(subscribers.size()));
    }

    private void join(Set<String> seen) {
        int c = random.nextInt(channels.length);
        joinAt(c, tail[channels[c].partition], seen);
    }

    private void joinAt(int c, long position, Set<String> seen) {
        Channel channel = channels[c];
        int loop = random.nextInt(loops.length);
        long p = tail[channel.partition];
        boolean first = channel.subscribers++ == 0;
        if (first) {
            channel.base = p;
            channel.lastOffset = Long.MIN_VALUE;
            channel.interest = Batches.interest(channel.name, channel.partition);
            arrivals.removeIf(a -> a.event.channel == c); // of an interest that is gone
        }
        if (!wants(loop, c)) {
            loops[loop].windows[c] = null; // a channel object of its own
            loops[loop].deliveries[c] = 0;
            if (first) {
                loops[loop].queue.removeIf(t -> t.channel == c); // of an interest that is gone
            }
        }
        Subscriber s = new Subscriber(c, loop, position, seen);
        if (first) {
            s.first = moments++;
            s.joinedAt = p;
        }
        s.lastMissed = fault == Fault.JOINS_AT_ZERO ? 0 : loops[loop].deliveries[c];
        if (position < p) {
            s.standing = Standing.MERGING;
            s.splice = p;
        }
        subscribers.add(s);
        say("joins c%s on %s at %s, tail %s", c, loop, position, p);
    }

    private void disturb(Subscriber s) {
        if (s == null) {
            return;
        }
        switch (s.standing) {
            case PARKED -> {
                s.slow = false;
                s.standing = Standing.MERGING;
                s.splice = tail[channels[s.channel].partition];
                say("resumes from %s to %s", s.position, s.splice);
            }
            case MERGING -> replay(s);
            case LIVE -> {
                switch (random.nextInt(4)) {
                    case 0 -> s.slow = !s.slow;
                    case 1, 2 -> {
                        leave(s);
                        joinAt(s.channel, Math.min(s.at, tail[channels[s.channel].partition]), s.seen);
                    }
                    default -> {
                        if (random.nextInt(3) == 0) {
                            leave(s);
                        }
                    }
                }
            }
        }
    }

    private void leave(Subscriber s) {
        subscribers.remove(s);
        if (--channels[s.channel].subscribers == 0) {
            channels[s.channel].interest = null;
        }
        say("leaves c%s at %s", s.channel, s.at);
    }

    /** The log from the position up to the splice, then what was live meanwhile. */
    private void replay(Subscriber s) {
        List<Stored> all = log.get(channels[s.channel].partition);
        long prev = s.position;
        for (long o = s.position + 1; o <= s.splice; o++) {
            Stored stored = all.get((int) o);
            if (stored.event.channel == s.channel) {
                gotRecord(s, stored, prev, true);
                prev = o;
            }
        }
        s.position = Math.max(s.position, s.splice);
        whole(s, s.position);
        s.at = s.position;
        s.standing = Standing.LIVE;
        s.spell++;
        for (Item item = s.buffer.poll(); item != null; item = s.buffer.poll()) {
            if (item.stored.offset > s.position) {
                s.position = item.stored.offset;
                gotRecord(s, item.stored, item.prev, true);
            }
        }
    }

    // ---- clients

    private void gotProvisional(Subscriber s, Event e) {
        say("%s gets %s provisionally", s.hashCode() % 1000, e.id);
        twice(s, e, "provisionally");
        fromBefore(s, e);
        s.seen.add(e.id);
        s.had.put(e.id, s.spell);
    }

    private void gotRecord(Subscriber s, Stored stored, long prev, boolean replay) {
        say("%s gets %s at %s, prev %s", s.hashCode() % 1000, stored.event.id, stored.offset, prev);
        check(prev <= s.at && s.at < stored.offset, "prev %s, offset %s at %s", prev, stored.offset, s.at);
        s.seen.add(stored.event.id);
        whole(s, stored.offset);
        if (!replay && !stored.repeat) {
            twice(s, stored.event, "in full");
        }
        s.had.put(stored.event.id, s.spell);
        s.at = stored.offset;
    }

    private void gotPosition(Subscriber s, Item item) {
        positions++;
        say("%s is told %s for %s", s.hashCode() % 1000, item.stored.offset, item.event.id);
        check(s.seen.contains(item.event.id), "a position in place of %s, which it does not have", item.event.id);
        whole(s, item.stored.offset);
        if (fault != Fault.NO_POSITION) {
            check(item.prev <= s.at, "prev %s at %s", item.prev, s.at);
            s.at = item.stored.offset;
        }
    }

    /**
     * Whoever makes a channel wanted gets nothing provisionally that its position covers and whose copies had all come
     * before. (One that comes later than its record may be shown: ADR 100.)
     */
    private void fromBefore(Subscriber s, Event e) {
        if (takenIn.get(e.id) > s.first) {
            return;
        }
        List<Stored> p = log.get(channels[e.channel].partition);
        for (int o = 0; o <= s.joinedAt; o++) {
            check(
                    !p.get(o).event.id.equals(e.id),
                    "%s, which stands at %s, comes to one who joined at %s",
                    e.id,
                    o,
                    s.joinedAt);
        }
    }

    /** An event comes a second time in one unbroken spell only if something was forgotten for want of room. */
    private void twice(Subscriber s, Event e, String how) {
        Integer spell = s.had.get(e.id);
        if (spell != null && spell == s.spell && metrics.idsForgotten.sum() == 0 && !mayBeForgotten()) {
            throw new AssertionError(e.id + " comes " + how + " though the client has it");
        }
    }

    /** A window of 16 ids, or 30 s: records too are forgotten then, and a late copy comes again. */
    private boolean mayBeForgotten() {
        return fewIds || longWaits;
    }

    /** A client's position says that it has everything up to there. */
    private void whole(Subscriber s, long upTo) {
        List<Stored> all = log.get(channels[s.channel].partition);
        for (long o = s.at + 1; o <= upTo; o++) {
            Event e = all.get((int) o).event;
            if (e.channel == s.channel && !s.seen.contains(e.id)) {
                throw new AssertionError("position " + upTo + " without " + e.id + " at " + o);
            }
        }
    }

    // ---- the end

    /** Kafka is back and takes everything; every subscriber comes to the end, and the ring follows again. */
    private void settle() {
        say("---- settle");
        frozen = false;
        calm = true;
        while (!unstored.isEmpty()) {
            append(unstored.removeFirst());
        }
        for (int round = 0; round < 14; round++) {
            now += 3_000 * MS;
            poll();
            redis(10);
            for (Loop l : loops) {
                while (!l.queue.isEmpty()) {
                    loop(l);
                }
            }
            for (Subscriber s : List.copyOf(subscribers)) {
                s.slow = false;
                if (s.standing != Standing.LIVE) {
                    disturb(s);
                }
            }
            if (round > 10 && round < 13) {
                for (int c = 0; c < channels.length; c++) {
                    String id = "x" + round + "c" + c;
                    append(new Event(c, id, id.getBytes(StandardCharsets.UTF_8), null));
                }
            }
        }
        for (Subscriber s : subscribers) {
            check(s.standing == Standing.LIVE && s.buffer.isEmpty(), "a subscriber is still %s", s.standing);
            whole(s, log.get(channels[s.channel].partition).size() - 1L);
        }
        check(ring.waiting() == 0, "%s copies still wait", ring.waiting());
        check(ring.hedging() == 0, "%s partitions still hedge", ring.hedging());
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would cost a dependency
    private void say(String format, Object... args) {
        if (trace != null) {
            trace.add(now / MS + " " + String.format(format, args));
        }
    }

    @SuppressWarnings("AnnotateFormatMethod") // as above
    private static void check(boolean ok, String format, Object... args) {
        if (!ok) {
            throw new AssertionError(String.format(format, args));
        }
    }
}

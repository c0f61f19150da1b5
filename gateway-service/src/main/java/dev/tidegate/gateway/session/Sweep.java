package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.Tail;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a shard does by the clock, for all its sessions at once instead of by a timer each: heartbeats with positions,
 * deadlines of resumes, ends of tokens, connections whose close frame is not taken, and how far behind the loop is.
 * Loop-confined.
 *
 * <p>The heartbeats are spread over their interval: a session gets one of {@code heartbeatMs / TICK_MS} slots at random
 * and keeps it, so it hears of the gateway once per interval however many come and go, and a crowd that connects at once
 * does not beat at once.
 */
final class Sweep {
    private static final Logger LOG = LoggerFactory.getLogger(Sweep.class);

    static final int TICK_MS = 250;

    /** Tokens and connect deadlines are looked at every so many ticks: once a second. */
    private static final int IDENTITY_TICKS = 4;

    /** How long a peer may take to read a close frame and answer it, before the connection is cut. */
    static final int CLOSE_MS = 2000;

    private final LoopShard shard;
    private final List<ArrayList<Session>> slots = new ArrayList<>();
    private final ArrayList<Session> resuming = new ArrayList<>();
    private final ArrayDeque<Session> closing = new ArrayDeque<>();
    private final Pressure pressure;
    private long ticks;
    private long[] covered = new long[0];

    Sweep(LoopShard shard, Pressure pressure) {
        this.shard = shard;
        this.pressure = pressure;
        int n = Math.clamp(shard.shared.limits().heartbeatMs() / TICK_MS, 1, Short.MAX_VALUE);
        for (int i = 0; i < n; i++) {
            slots.add(new ArrayList<>(0));
        }
    }

    void add(Session session) {
        int slot = shard.random.nextInt(slots.size());
        ArrayList<Session> in = slots.get(slot);
        session.slot = (short) slot;
        session.index = in.size();
        in.add(session);
    }

    void remove(Session session) {
        ArrayList<Session> in = slots.get(session.slot);
        Session last = in.removeLast();
        if (last != session) {
            in.set(session.index, last);
            last.index = session.index;
        }
    }

    /** The session has resumes under way; it leaves the list at the first tick at which it has none. */
    void resumesStarted(Session session) {
        resuming.add(session);
    }

    /** The session has written its last frame. */
    void closing(Session session) {
        closing.add(session);
    }

    void forEach(Consumer<Session> action) {
        for (ArrayList<Session> in : slots) {
            for (Session s : List.copyOf(in)) {
                action.accept(s);
            }
        }
    }

    /** So many of the sessions, from a slot at random on. */
    void some(int count, Consumer<Session> action) {
        int first = shard.random.nextInt(slots.size());
        int left = count;
        for (int i = 0; i < slots.size() && left > 0; i++) {
            for (Session s : List.copyOf(slots.get((first + i) % slots.size()))) {
                if (left-- > 0) {
                    action.accept(s);
                }
            }
        }
    }

    private int sessions() {
        int n = 0;
        for (ArrayList<Session> in : slots) {
            n += in.size();
        }
        return n;
    }

    /**
     * Runs every {@link #TICK_MS}. A position may be told only once every batch up to it has been delivered by this loop:
     * the dispatched positions are read now, and the heartbeats run behind whatever lies in the loop's queue now. (The
     * next tick, which overwrites what was read, is put into the queue after this one has ended, so behind its heartbeats.)
     */
    void tick() {
        assert shard.loop.inEventLoop();
        ticks++;
        cutClosing();
        tickResumes();
        Tail tail = shard.hasTail() ? shard.tail() : null;
        if (tail != null) {
            if (covered.length != tail.partitions()) {
                covered = new long[tail.partitions()];
            }
            for (int p = 0; p < covered.length; p++) {
                covered[p] = tail.dispatched(p);
            }
        }
        shard.flushDirty();
        long queued = shard.loop.ticker().nanoTime();
        // A loop that makes up for ticks may run several before their heartbeats: each has its own slot.
        long tick = ticks;
        shard.loop.execute(() -> {
            waited(queued);
            heartbeats(tail, tick);
        });
    }

    /** How long what is put into the loop's queue has to wait there, and what follows from it. */
    private void waited(long queuedAt) {
        long now = shard.loop.ticker().nanoTime();
        shard.shared.metrics().loopDelay(shard.index, now - queuedAt);
        int tooMany = pressure.note(now, now - queuedAt, sessions());
        if (tooMany > 0) {
            LOG.warn(
                    "This loop is {} ms behind: {} connections are sent elsewhere",
                    (now - queuedAt) / 1_000_000,
                    tooMany);
            shard.departures().some(tooMany);
        }
    }

    private void cutClosing() {
        long now = shard.loop.ticker().nanoTime();
        for (Session s = closing.peek(); s != null && s.cutIfDue(now); s = closing.peek()) {
            closing.poll();
        }
    }

    private void tickResumes() {
        List<Session> ticked = List.copyOf(resuming);
        resuming.clear();
        for (Session s : ticked) {
            shard.guarded(s, Session::tickResumes);
            if (s.resuming()) {
                resuming.add(s);
            }
        }
    }

    private void heartbeats(@Nullable Tail of, long tick) {
        long wallClock = System.currentTimeMillis();
        long now = shard.loop.ticker().nanoTime();
        for (int slot = (int) (tick % IDENTITY_TICKS); slot < slots.size(); slot += IDENTITY_TICKS) {
            ArrayList<Session> in = slots.get(slot);
            for (int i = in.size() - 1; i >= 0; i--) {
                in.get(i).checkIdentity(wallClock, now);
            }
        }
        long[] positions = of != null && shard.hasTail() && of == shard.tail() ? covered : null;
        ArrayList<Session> due = slots.get((int) (tick % slots.size()));
        for (int i = due.size() - 1; i >= 0; i--) {
            shard.guarded(due.get(i), s -> s.heartbeat(positions));
        }
        shard.flushDirty();
    }
}

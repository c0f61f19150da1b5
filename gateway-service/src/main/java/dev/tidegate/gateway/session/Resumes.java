package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The resumes of one connection: at most {@link SessionLimits#maxMerges} fetch at once, the others wait their turn while
 * they buffer. An object that only a connection with resumes has. Loop-confined.
 */
final class Resumes {
    private final LoopShard shard;
    private final ReplayMerge.Connection connection;
    private final ArrayList<Subscription> running = new ArrayList<>(1);
    private final ArrayDeque<Subscription> waiting = new ArrayDeque<>(1);

    /** Those whose durable cursor is being looked up; bounded, as the others, by the connection's subscriptions. */
    private final ArrayList<DurableResume> held = new ArrayList<>(0);

    Resumes(LoopShard shard) {
        this.shard = shard;
        this.connection = new ReplayMerge.Connection(
                shard.shared.replay(), shard.loop, shard.shared.limits().replay(), shard.random);
    }

    /**
     * Gives a subscription its merge.
     *
     * @param after the client's position, or null with {@code last}
     * @param splice the position after which it gets every record live
     * @param told whether the client has had its {@code subscribed} already
     */
    void begin(Subscription sub, @Nullable Cursor after, int last, Cursor splice, boolean told) {
        sub.merge = new ReplayMerge(sub, connection, after, last, splice, told);
        waiting.add(sub);
        startWaiting();
    }

    /**
     * Gives a subscription a merge that waits for its durable cursor.
     *
     * @param last the number of newest events wanted if there is none, or -1
     */
    void hold(Subscription sub, DurableCursors.CursorKey key, int last, Cursor splice) {
        sub.merge = heldMerge(sub, last, splice, false);
        DurableResume lookUp = new DurableResume(sub, key, this, shard);
        held.add(lookUp);
        lookUp.ask();
    }

    /** The topic was recreated while the cursor is looked up: it is resumed into the new one. */
    void moveHeld(Subscription sub, ReplayMerge old, Cursor splice) {
        sub.merge = heldMerge(sub, old.last(), splice, old.begun());
        old.cancel();
    }

    private ReplayMerge heldMerge(Subscription sub, int last, Cursor splice, boolean told) {
        ReplayMerge merge = new ReplayMerge(sub, connection, null, last, splice, told);
        merge.hold();
        return merge;
    }

    /** The cursor has been looked up: the merge waits for its turn as any other. */
    void handOver(DurableResume found) {
        held.remove(found);
        waiting.add(found.sub);
        startWaiting();
    }

    /** The subscription has no merge any more: the next one's turn. */
    void left(Subscription sub) {
        held.removeIf(lookUp -> lookUp.sub == sub);
        running.remove(sub);
        waiting.remove(sub);
        startWaiting();
    }

    private void startWaiting() {
        while (running.size() < shard.shared.limits().maxMerges()) {
            Subscription next = waiting.poll();
            if (next == null) {
                return;
            }
            ReplayMerge merge = next.merge;
            if (merge != null) {
                running.add(next);
                merge.start();
            }
        }
    }

    boolean isEmpty() {
        return running.isEmpty() && waiting.isEmpty() && held.isEmpty();
    }

    /** Time passes, for those too that wait their turn: their clients are to hear of it. */
    void tick() {
        List<Subscription> all = new ArrayList<>(running);
        all.addAll(waiting);
        long now = shard.loop.ticker().nanoTime();
        for (DurableResume lookUp : List.copyOf(held)) {
            all.add(lookUp.sub);
            lookUp.onTick(now);
        }
        for (Subscription s : all) {
            ReplayMerge merge = s.merge;
            if (merge != null) {
                merge.onTick();
            }
        }
    }

    /** The connection takes more again. */
    void onWritable() {
        for (Subscription s : List.copyOf(running)) {
            ReplayMerge merge = s.merge;
            if (merge != null && s.writable()) {
                merge.onWritable();
            }
        }
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.Cursor;
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

    /** The subscription has no merge any more: the next one's turn. */
    void left(Subscription sub) {
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
        return running.isEmpty() && waiting.isEmpty();
    }

    /** Time passes, for those too that wait their turn: their clients are to hear of it. */
    void tick() {
        List<Subscription> all = new ArrayList<>(running);
        all.addAll(waiting);
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

package dev.tidegate.gateway.resume;

import dev.tidegate.gateway.fanout.LoopBatch;
import java.util.ArrayDeque;
import java.util.function.Consumer;

/**
 * The live events that arrive for a subscription while what it missed is being fetched. Bounded twice: by segments here
 * and by the bytes of its connection ({@link Budget}); when either is reached the whole buffer is dropped, which loses
 * nothing, since the log still has it: the merge fetches again from the last event it delivered. Loop-confined.
 */
final class LiveBuffer {
    /** Most segments (a batch's events of this channel) held. */
    static final int MAX_SEGMENTS = 1024;

    /** The bytes of live events that all resuming subscriptions of one connection may hold. Loop-confined. */
    static final class Budget {
        private final int maxBytes;
        private int used;

        Budget(int maxBytes) {
            this.maxBytes = maxBytes;
        }

        private boolean take(int bytes) {
            if (used + bytes > maxBytes) {
                return false;
            }
            used += bytes;
            return true;
        }
    }

    private final ArrayDeque<LoopBatch> segments = new ArrayDeque<>(4);
    private final Budget budget;
    private int bytes;

    LiveBuffer(Budget budget) {
        this.budget = budget;
    }

    /** Keeps a segment (a batch of that one segment); false, keeping nothing, if a bound is reached. */
    boolean offer(LoopBatch segment) {
        int n = segment.wsBytes(0);
        if (segments.size() == MAX_SEGMENTS || !budget.take(n)) {
            return false;
        }
        bytes += n;
        segment.retain();
        segments.add(segment);
        return true;
    }

    /** Gives every segment in order to the consumer and is empty then. */
    void drain(Consumer<LoopBatch> consumer) {
        for (LoopBatch s = segments.poll(); s != null; s = segments.poll()) {
            try {
                consumer.accept(s);
            } finally {
                s.release();
            }
        }
        giveBack();
    }

    /** Drops everything. */
    void clear() {
        for (LoopBatch s = segments.poll(); s != null; s = segments.poll()) {
            s.release();
        }
        giveBack();
    }

    private void giveBack() {
        budget.used -= bytes;
        bytes = 0;
    }
}

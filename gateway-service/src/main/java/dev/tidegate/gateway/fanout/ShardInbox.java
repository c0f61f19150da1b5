package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.Gap;
import java.util.concurrent.CountDownLatch;

/**
 * Where the dispatcher puts what is meant for one event loop. Implemented by the shard, and by fakes in tests and
 * benchmarks. All methods are called on the tailer and return at once unless they say otherwise.
 */
public interface ShardInbox {
    /**
     * Hands a batch over; the shard delivers it on its loop and releases it. Blocks while {@link #MAX_BATCHES} batches
     * are waiting: that is how an overloaded loop slows the tailer down, so that the next poll brings more records for
     * one write.
     *
     * @throws InterruptedException if the tailer is being stopped; the batch has been released then
     */
    void offer(LoopBatch batch) throws InterruptedException;

    /** Moves every subscription of the loop to another incarnation of the topic; counts {@code done} down after it. */
    void moveTo(Tail tail, CountDownLatch done);

    /** Tells every live subscription of the partition that records up to {@code position} cannot be had. */
    void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done);

    /**
     * Waits until the loop has delivered all it was handed, or for so long. An inbox that keeps nothing has nothing to wait for.
     *
     * @return whether it had to wait
     */
    default boolean awaitIdle(long nanos) throws InterruptedException {
        return false;
    }

    /** Most batches that wait for one loop: one being delivered, one ready. */
    int MAX_BATCHES = 2;
}

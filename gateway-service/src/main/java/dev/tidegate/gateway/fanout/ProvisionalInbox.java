package dev.tidegate.gateway.fanout;

/** Where copies of the Redis tier are put that one event loop is to deliver. Implemented by the shard, and by fakes. */
public interface ProvisionalInbox {
    /**
     * Hands a batch over, which other loops get too; the shard delivers it on its loop and releases it once. Blocks while
     * {@link ShardInbox#MAX_BATCHES} of these wait for the loop.
     *
     * @throws InterruptedException if the Redis tier is being stopped; the batch has been released then
     */
    void offerProvisional(ProvisionalBatch batch) throws InterruptedException;
}

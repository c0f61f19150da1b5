package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.Gap;
import java.util.concurrent.CountDownLatch;

/** A loop of tests that has no subscribers to move or to tell a gap. */
abstract class IdleInbox implements ShardInbox {
    @Override
    public void moveTo(Tail tail, CountDownLatch done) {
        done.countDown();
    }

    @Override
    public void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done) {
        done.countDown();
    }
}

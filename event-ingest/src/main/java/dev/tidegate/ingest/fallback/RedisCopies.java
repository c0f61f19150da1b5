package dev.tidegate.ingest.fallback;

import dev.tidegate.ingest.delivery.CopyPath;
import dev.tidegate.ingest.fallback.RedisTier.Sent;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.ingest.publish.PublishOutcome.Fault;
import dev.tidegate.protocol.ErrorCode;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** {@link RedisTier} as deliveries use it. Any thread. */
public final class RedisCopies implements CopyPath {
    private final RedisTier tier;
    private final Copies copies;
    private final long timeoutMillis;

    /**
     * Over this tier.
     *
     * @param timeout how long an ephemeral event may wait for Redis' answer
     */
    public RedisCopies(RedisTier tier, Copies copies, Duration timeout) {
        this.tier = tier;
        this.copies = copies;
        this.timeoutMillis = timeout.toMillis();
    }

    @Override
    public void copy(int partition, Event event, long millis) {
        var _ = tier.offer(partition, copies.of(event, millis, false));
    }

    @Override
    public CompletableFuture<PublishOutcome> send(int partition, Event event, long millis) {
        return tier.offer(partition, copies.of(event, millis, true))
                .completeOnTimeout(Sent.AWAY, timeoutMillis, TimeUnit.MILLISECONDS)
                .thenApply(sent -> switch (sent) {
                    case SENT -> new PublishOutcome.Sent();
                    case FULL -> unavailable("Redis is slow: as much is on its way as may be");
                    case AWAY, FAILED ->
                        unavailable("Redis cannot take the event now, and an ephemeral one goes nowhere else");
                });
    }

    private static PublishOutcome unavailable(String why) {
        return new PublishOutcome.Failed(ErrorCode.UNAVAILABLE, why, false, Fault.BACKEND);
    }
}

package dev.tidegate.gateway;

import dev.tidegate.gateway.backplane.KafkaTailer;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.session.Shards;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** The core as the edge sees it. Any thread. */
final class RunningCore implements AutoCloseable {
    /** Between two looks at the connections that are left. */
    private static final Duration LOOK = Duration.ofMillis(20);

    private final Shards shards;
    private final FanoutDispatcher dispatcher;
    private final KafkaTailer tailer;
    private final GatewayMetrics metrics;
    private volatile boolean everCaughtUp;

    RunningCore(Shards shards, FanoutDispatcher dispatcher, KafkaTailer tailer, GatewayMetrics metrics) {
        this.shards = shards;
        this.dispatcher = dispatcher;
        this.tailer = tailer;
        this.metrics = metrics;
    }

    Shards shards() {
        return shards;
    }

    int partitions() {
        Tail tail = dispatcher.tail();
        return tail == null ? 0 : tail.partitions();
    }

    int connections() {
        return metrics.connections.intValue();
    }

    /**
     * Whether the tail has once been reached. It stays so while Kafka is away: a load balancer that took every gateway
     * out then would cut the clients off from what still works.
     */
    boolean caughtUp() {
        if (!everCaughtUp && tailer.state() == KafkaTailer.State.TAILING) {
            everCaughtUp = true;
        }
        return everCaughtUp;
    }

    /** Ends when no connection is left; the caller bounds the wait. */
    CompletionStage<?> drain(Duration within) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread.ofVirtual().name("gateway-drain-core").start(() -> {
            try {
                shards.drain((int) within.toMillis());
                while (connections() > 0 && !done.isDone()) {
                    Thread.sleep(LOOK);
                }
                done.complete(null);
            } catch (InterruptedException e) {
                done.completeExceptionally(e);
            }
        });
        return done;
    }

    @Override
    public void close() {
        tailer.close();
    }
}

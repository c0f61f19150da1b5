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

    /**
     * Connections sent elsewhere per second when there are few of them. A fifth of the handshakes a gateway takes by default:
     * two others take them in with room to spare.
     */
    private static final int DEPARTURES_PER_SECOND = 2000;

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
                shards.drain(spreadMs(within));
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

    /** Over how long the connections leave: four fifths of the time there is, so that the last ones can take their leave. */
    private int spreadMs(Duration within) {
        return (int) Math.min(within.toMillis() * 4 / 5, connections() * 1000L / DEPARTURES_PER_SECOND);
    }

    @Override
    public void close() {
        tailer.close();
    }
}

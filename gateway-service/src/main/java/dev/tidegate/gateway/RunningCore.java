package dev.tidegate.gateway;

import dev.tidegate.gateway.backplane.KafkaTailer;
import dev.tidegate.gateway.backplane.RedisTailer;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.HedgeRing;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.session.Shards;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

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
    private final @Nullable RedisTailer redis;
    private final HedgeRing ring;
    private final GatewayMetrics metrics;
    private volatile boolean everCaughtUp;

    /** @param redis null where it is switched off */
    RunningCore(
            Shards shards,
            FanoutDispatcher dispatcher,
            KafkaTailer tailer,
            @Nullable RedisTailer redis,
            HedgeRing ring,
            GatewayMetrics metrics) {
        this.shards = shards;
        this.dispatcher = dispatcher;
        this.tailer = tailer;
        this.redis = redis;
        this.ring = ring;
        this.metrics = metrics;
    }

    Shards shards() {
        return shards;
    }

    int partitions() {
        Tail tail = dispatcher.tail();
        return tail == null ? 0 : tail.partitions();
    }

    List<Integer> layouts() {
        Tail tail = dispatcher.tail();
        return tail == null ? List.of() : tail.layouts();
    }

    String epoch() {
        Tail tail = dispatcher.tail();
        return tail == null ? "" : tail.epoch();
    }

    int connections() {
        return metrics.connections.intValue();
    }

    /**
     * Whether the tail has once been reached. It stays so while Kafka is away: a load balancer that took every gateway
     * out then would cut the clients off from what still works: live delivery over Redis, and replay from memory.
     */
    boolean caughtUp() {
        if (!everCaughtUp && tailer.state() == KafkaTailer.State.TAILING) {
            everCaughtUp = true;
        }
        return everCaughtUp;
    }

    /** How Kafka is, in a word: {@code live}, {@code stalled} (it does not answer) or {@code away} (never found, stopped). */
    String kafka() {
        return switch (tailer.state()) {
            case TAILING -> "live";
            case STALLED -> "stalled";
            case CONNECTING, STOPPED -> "away";
        };
    }

    /** How Redis is: {@code live}, {@code away} or {@code off}. */
    String redis() {
        RedisTailer r = redis;
        return r == null ? "off" : r.state() == RedisTailer.State.LIVE ? "live" : "away";
    }

    /** For health's details. */
    Map<String, String> sources() {
        return Map.of("kafka", kafka(), "redis", redis());
    }

    HedgeRing ring() {
        return ring;
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
        RedisTailer r = redis;
        if (r != null) {
            r.close(); // first: it may hold the lock that the other one waits for
        }
        tailer.close();
        shards.close(); // last: nothing is delivered any more
    }
}

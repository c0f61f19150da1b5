package dev.tidegate.ingest;

import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.fallback.RedisTier;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.TopicView;
import dev.tidegate.ingest.spool.Spooling;
import java.time.Duration;
import java.util.Map;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;

/**
 * Whether durable events are taken, into Kafka or into the spool; part of readiness. Answers from what is known, without
 * asking anybody.
 *
 * <p>While it starts, an instance that finds Kafka is ready with Kafka; one that does not is ready with the spool alone after
 * a while, so that an ordinary start does not show as a {@code 202} or two.
 */
final class IntakeHealth implements HealthIndicator {
    private static final Duration KAFKA_FIRST = Duration.ofSeconds(5);

    private final Deliveries deliveries;
    private final FanoutTopic topic;
    private final Spooling spooling;
    private final RedisTier redis;
    private final long startedAt = System.nanoTime();

    IntakeHealth(Deliveries deliveries, FanoutTopic topic, Spooling spooling, RedisTier redis) {
        this.deliveries = deliveries;
        this.topic = topic;
        this.spooling = spooling;
        this.redis = redis;
    }

    @Override
    public Health health() {
        TopicView view = topic.view();
        boolean starting = !deliveries.wasDirect() && System.nanoTime() - startedAt < KAFKA_FIRST.toNanos();
        boolean up = deliveries.takes() && !starting;
        return (up ? Health.up() : Health.down())
                .withDetail("state", deliveries.stateName())
                .withDetail("cause", deliveries.cause())
                .withDetail("topic", view.status())
                .withDetail("partitions", view.partitions())
                .withDetail("detail", view.detail())
                .withDetail(
                        "spool",
                        Map.of(
                                "available", spooling.queue().usable(),
                                "events", spooling.depth().rows(),
                                "oldestSeconds", spooling.depth().oldestSeconds(),
                                "held", spooling.depth().held(),
                                "unreadable", spooling.depth().unreadable(),
                                "firstUnreadable", spooling.depth().firstUnreadable(),
                                "detail", spooling.detail()))
                .withDetail("redis", redis.available() ? "takes copies" : "away")
                .build();
    }
}

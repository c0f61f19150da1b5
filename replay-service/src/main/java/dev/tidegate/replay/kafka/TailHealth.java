package dev.tidegate.replay.kafka;

import dev.tidegate.replay.recent.RecentLog;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;

/**
 * Whether the service can answer: memory has been filled and the end of the log was reached. It stays so while Kafka is away,
 * since memory goes on being served; {@code kafka} says whether it is. Asks nobody.
 */
public final class TailHealth implements HealthIndicator {
    private final Tail tail;
    private final TopicWatch watch;

    public TailHealth(Tail tail, TopicWatch watch) {
        this.tail = tail;
        this.watch = watch;
    }

    @Override
    public Health health() {
        TopicLog log = tail.current();
        boolean kafka = watch.reachable();
        if (log == null) {
            return Health.down()
                    .withDetail("state", kafka ? "waiting for the fan-out topic" : "waiting for Kafka")
                    .withDetail("kafka", kafka)
                    .build();
        }
        boolean up = log.filled() && !log.retired();
        RecentLog.Usage usage = log.recent().usage();
        return (up ? Health.up() : Health.down())
                .withDetail("state", up ? "following" : log.retired() ? "beginning anew" : "filling memory")
                .withDetail("kafka", kafka)
                .withDetail("epoch", log.topic().epoch())
                .withDetail("partitions", log.topic().partitions())
                .withDetail("lag", log.lag())
                .withDetail("events", usage.records())
                .build();
    }
}

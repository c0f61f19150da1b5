package dev.tidegate.ingest.publish;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;

/** Whether the fan-out topic can be written; part of readiness. Answers from the last look, without asking Kafka. */
public final class KafkaHealth implements HealthIndicator {
    private final FanoutTopic topic;

    public KafkaHealth(FanoutTopic topic) {
        this.topic = topic;
    }

    @Override
    public Health health() {
        TopicView view = topic.view();
        boolean up = view.status() == TopicView.Status.UP && topic.wasReady();
        return (up ? Health.up() : Health.down())
                .withDetail("status", view.status())
                .withDetail("partitions", view.partitions())
                .withDetail("detail", view.detail())
                .build();
    }
}

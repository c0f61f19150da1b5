package dev.tidegate.ingest.publish;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * The meters of this package; names in {@code docs/event-ingest.md}. Any thread.
 *
 * <ul>
 *   <li>{@code tidegate.ingest.publish} timer, {@code outcome} = stored | failed: from the call to Kafka's answer
 *   <li>{@code tidegate.ingest.publish.bytes} counter: payload bytes stored
 *   <li>{@code tidegate.ingest.kafka.up} gauge: 1 while the last look at the topic succeeded
 *   <li>{@code tidegate.ingest.topic.recreated} counter: epochs that ended while this instance ran
 * </ul>
 */
public final class PublishMetrics {
    private final Timer stored;
    private final Timer failed;
    private final Counter bytes;
    private final MeterRegistry registry;

    public PublishMetrics(MeterRegistry registry) {
        this.registry = registry;
        this.stored = timer("stored");
        this.failed = timer("failed");
        this.bytes = Counter.builder("tidegate.ingest.publish.bytes")
                .baseUnit("bytes")
                .description("Payload bytes stored in the fan-out topic")
                .register(registry);
    }

    private Timer timer(String outcome) {
        return Timer.builder("tidegate.ingest.publish")
                .tag("outcome", outcome)
                .description("From giving an event to the producer to Kafka's answer")
                .serviceLevelObjectives(
                        Duration.ofMillis(1),
                        Duration.ofMillis(2),
                        Duration.ofMillis(5),
                        Duration.ofMillis(10),
                        Duration.ofMillis(25),
                        Duration.ofMillis(100),
                        Duration.ofMillis(500),
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(5))
                .register(registry);
    }

    /** Adds the gauges of the topic. */
    public void watch(FanoutTopic topic) {
        Gauge.builder("tidegate.ingest.kafka.up", topic, t -> t.view().status() == TopicView.Status.UP ? 1 : 0)
                .description("1 while the fan-out topic can be written")
                .register(registry);
        io.micrometer.core.instrument.FunctionCounter.builder(
                        "tidegate.ingest.topic.recreated", topic, FanoutTopic::epochChanges)
                .description("Times the fan-out topic turned out to be another one")
                .register(registry);
    }

    void stored(long nanos, int payloadBytes) {
        stored.record(nanos, TimeUnit.NANOSECONDS);
        bytes.increment(payloadBytes);
    }

    void failed(long nanos) {
        failed.record(nanos, TimeUnit.NANOSECONDS);
    }
}

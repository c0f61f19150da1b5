package dev.tidegate.ingest;

import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.delivery.DirectPath;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.FanoutPublisher;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.ingest.publish.TopicView;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;

/** Producer, publisher and topic, as deliveries use them. Any thread. */
final class KafkaPath implements DirectPath {
    private final FanoutPublisher publisher;
    private final FanoutTopic topic;
    private final DefaultKafkaProducerFactory<byte[], byte[]> producers;
    private final BooleanSupplier warm;
    private final int closeSeconds;

    KafkaPath(
            FanoutPublisher publisher,
            FanoutTopic topic,
            DefaultKafkaProducerFactory<byte[], byte[]> producers,
            BooleanSupplier warm,
            PublishSettings settings) {
        this.publisher = publisher;
        this.topic = topic;
        this.producers = producers;
        this.warm = warm;
        this.closeSeconds = closeSeconds(settings);
    }

    /** What is on its way when we stop is given the time a publisher would have waited. */
    static int closeSeconds(PublishSettings settings) {
        return Math.toIntExact(settings.deliveryTimeout().toSeconds()) + 1;
    }

    @Override
    public CompletableFuture<PublishOutcome> write(Event event, long millis) {
        return publisher.publish(event, millis);
    }

    @Override
    public boolean ready() {
        return topic.wasReady() && warm.getAsBoolean();
    }

    @Override
    public synchronized void abort() {
        producers.setPhysicalCloseTimeout(0);
        try {
            producers.reset();
        } finally {
            producers.setPhysicalCloseTimeout(closeSeconds);
        }
    }

    @Override
    public boolean seen() {
        return topic.view().status() == TopicView.Status.UP;
    }

    @Override
    public void lookAgain() {
        var _ = topic.lookAgain();
    }

    @Override
    public int partition(Event event) {
        return topic.partitionOf(event.channel());
    }
}

package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.time.Duration;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Writes the fan-out topic directly: key = channel, value = marker, acks=all, idempotent, so in order. */
final class KafkaPublisher implements Publisher {
    private final Settings settings;
    private final Published published;
    private final long wallOffset;
    private final KafkaProducer<byte[], byte[]> producer;

    KafkaPublisher(Settings settings, Published published, long wallOffset) {
        this.settings = settings;
        this.published = published;
        this.wallOffset = wallOffset;
        this.producer = new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        settings.publishing().kafka(),
                        ProducerConfig.CLIENT_ID_CONFIG,
                        "tidegate-swarm",
                        ProducerConfig.ACKS_CONFIG,
                        "all",
                        ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG,
                        true,
                        ProducerConfig.LINGER_MS_CONFIG,
                        settings.publishing().lingerMs(),
                        ProducerConfig.MAX_BLOCK_MS_CONFIG,
                        30_000,
                        ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG,
                        120_000),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    @Override
    public void publish(int channel) {
        int sequence = published.next(channel);
        long at = System.nanoTime();
        Settings.Publishing p = settings.publishing();
        var record = new ProducerRecord<>(
                p.topic(),
                settings.channelName(channel).getBytes(US_ASCII),
                Marker.payload(sequence, at + wallOffset, p.size()));
        if (p.ids()) {
            record.headers().add("ce_id", settings.eventId(channel, sequence).getBytes(US_ASCII));
        }
        try {
            var _ = producer.send(record, (metadata, failure) -> {
                if (failure == null) {
                    published.acknowledged(at);
                } else {
                    published.failed(channel, sequence, failure.toString());
                }
            });
        } catch (org.apache.kafka.common.KafkaException e) {
            published.failed(channel, sequence, e.toString());
        }
    }

    @Override
    public void close() {
        producer.close(Duration.ofSeconds(5));
    }
}

package dev.tidegate.ingest.rehome;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.config.RehomeSettings;
import dev.tidegate.ingest.publish.ProducerConfiguration;
import java.util.Map;
import java.util.UUID;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.springframework.kafka.core.DefaultKafkaConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;

/** The consumer and the transactional producer of this package; reasons in ADR 023. */
public final class RehomeClients {
    /** Readers of committed records wait for an open transaction; one whose writer died is ended after this. */
    private static final int TRANSACTION_TIMEOUT_MILLIS = 10_000;

    private static final int MAX_POLL_RECORDS = 5_000;

    /**
     * A partition without a record in the group's reach has no offset to begin at; the consumer asks again only after its request
     * time-out, 30 s by default, and is deaf there until then. Well above the 500 ms that a fetch may be held.
     */
    private static final int LOOK_AGAIN_MILLIS = 2_000;

    private static final int FETCH_MIN_BYTES = 256 << 10;
    private static final int FETCH_WAIT_MILLIS = 500;

    private RehomeClients() {}

    /** Reads committed records from the group's offset on. */
    public static DefaultKafkaConsumerFactory<byte[], byte[]> consumers(KafkaSettings kafka, RehomeSettings settings) {
        Map<String, Object> config = ProducerConfiguration.client(kafka, "tidegate-rehome");
        config.put(ConsumerConfig.GROUP_ID_CONFIG, settings.group());
        config.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        config.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        config.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        config.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        config.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "by_duration:" + settings.reach());
        config.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, MAX_POLL_RECORDS);
        config.put(ConsumerConfig.REQUEST_TIMEOUT_MS_CONFIG, LOOK_AGAIN_MILLIS);
        // Nearly every record it reads is at home. So it reads in large bites, at most half a second late, rather than
        // being woken for each record.
        config.put(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, FETCH_MIN_BYTES);
        config.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, FETCH_WAIT_MILLIS);
        config.put(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 10_000); // partitions that are added are found within it
        return new DefaultKafkaConsumerFactory<>(config);
    }

    /** Writes records and the group's offsets in one transaction. */
    public static DefaultKafkaProducerFactory<byte[], byte[]> producers(KafkaSettings kafka, FanoutSettings fanout) {
        Map<String, Object> config = ProducerConfiguration.client(kafka, "tidegate-rehome");
        config.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.ACKS_CONFIG, "all");
        config.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        config.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, TRANSACTION_TIMEOUT_MILLIS);
        config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS - 2_000);
        config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS / 2 - 1_000);
        config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS);
        config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Math.max(1 << 20, fanout.maxPayload() + (128 << 10)));
        DefaultKafkaProducerFactory<byte[], byte[]> factory = new DefaultKafkaProducerFactory<>(config);
        // Zombies are fenced by the group's generation, not by a name that would have to be stable.
        factory.setTransactionIdPrefix("tidegate-rehome-" + UUID.randomUUID() + "-");
        return factory;
    }
}

package dev.tidegate.ingest.publish;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.config.PublishSettings;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What the producer and the admin client are made with; reasons in ADR 021. */
public final class ProducerConfiguration {
    private ProducerConfiguration() {}

    /** For every client of this service. */
    public static Map<String, Object> client(KafkaSettings kafka, String clientId) {
        Map<String, Object> config = new HashMap<>();
        config.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, kafka.bootstrapServers());
        config.put(CommonClientConfigs.CLIENT_ID_CONFIG, clientId);
        // A broker that comes back is found within a second, not within the default of up to 30.
        config.put(CommonClientConfigs.RECONNECT_BACKOFF_MAX_MS_CONFIG, 1_000);
        config.put(CommonClientConfigs.SOCKET_CONNECTION_SETUP_TIMEOUT_MS_CONFIG, 2_000);
        config.put(CommonClientConfigs.SOCKET_CONNECTION_SETUP_TIMEOUT_MAX_MS_CONFIG, 5_000);
        config.putAll(kafka.properties());
        return config;
    }

    /** For the producer of the publishing path. */
    public static Map<String, Object> producer(KafkaSettings kafka, FanoutSettings fanout, PublishSettings publish) {
        Map<String, Object> config = client(kafka, "tidegate-ingest");
        int delivery = Math.toIntExact(publish.deliveryTimeout().toMillis());
        int linger = Math.toIntExact(publish.linger().toMillis());
        config.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.ACKS_CONFIG, "all");
        config.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true);
        config.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 5);
        config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, delivery);
        // Two tries at least within the delivery timeout; a broker that hangs is noticed.
        config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, Math.max(200, (delivery - linger) / 2));
        config.put(ProducerConfig.RETRY_BACKOFF_MS_CONFIG, 100);
        config.put(ProducerConfig.LINGER_MS_CONFIG, linger);
        config.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, publish.compression());
        config.put(ProducerConfig.BUFFER_MEMORY_CONFIG, publish.bufferSize().toBytes());
        // send() is called on event loops: it must not wait for metadata or for memory.
        config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 0);
        // So the topic's metadata must never be dropped for want of use.
        config.put(
                ProducerConfig.METADATA_MAX_IDLE_CONFIG, Duration.ofDays(3_650).toMillis());
        config.put(
                ProducerConfig.METADATA_MAX_AGE_CONFIG, Duration.ofSeconds(60).toMillis());
        config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Math.max(1 << 20, fanout.maxPayload() + (128 << 10)));
        config.putAll(kafka.properties());
        return config;
    }
}

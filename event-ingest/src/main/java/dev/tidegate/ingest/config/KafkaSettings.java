package dev.tidegate.ingest.config;

import java.util.Map;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How Kafka is reached.
 *
 * @param bootstrapServers {@code host:port}, comma-separated
 * @param properties given to every Kafka client of this service, by Kafka's names ({@code security.protocol},
 *     {@code sasl.jaas.config} …)
 */
@ConfigurationProperties("tidegate.kafka")
public record KafkaSettings(
        @DefaultValue("127.0.0.1:9092") String bootstrapServers,
        @DefaultValue Map<String, String> properties) {
    public KafkaSettings {
        Settings.notBlank("tidegate.kafka.bootstrap-servers", bootstrapServers);
        properties = Map.copyOf(properties);
    }
}

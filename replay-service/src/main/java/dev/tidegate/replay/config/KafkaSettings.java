package dev.tidegate.replay.config;

import java.util.Map;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How Kafka is reached.
 *
 * @param bootstrapServers {@code host:port}, comma-separated
 * @param properties given to every Kafka client of this service, by Kafka's names ({@code security.protocol},
 *     {@code client.rack} …); what this service relies on cannot be overridden
 */
@ConfigurationProperties("tidegate.kafka")
public record KafkaSettings(
        @DefaultValue("127.0.0.1:9092") String bootstrapServers,
        @DefaultValue Map<String, String> properties) {
    public KafkaSettings {
        if (bootstrapServers.isBlank()) {
            throw new InvalidSetting("tidegate.kafka.bootstrap-servers", "''", "host:port, …");
        }
        properties = Map.copyOf(properties);
    }
}

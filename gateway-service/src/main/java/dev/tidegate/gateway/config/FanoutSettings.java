package dev.tidegate.gateway.config;

import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The fan-out topic, as all services know it. Properties that only its creator needs (partitions, replication, retention)
 * are not bound here: the gateway takes the topic as it is.
 *
 * @param topic the topic's name
 * @param formerPartitions numbers of partitions that the topic had before some were added: a cursor of then is answered with
 *     a gap instead of an error. A gateway that sees partitions being added knows by itself
 * @param maxPayloadBytes largest payload that is delivered; what is larger is counted and skipped
 */
@ConfigurationProperties("tidegate.fanout")
public record FanoutSettings(
        @DefaultValue("fanout") String topic,
        @DefaultValue List<Integer> formerPartitions,
        @DefaultValue("65536") DataSize maxPayloadBytes) {
    private static final int MAX_PARTITIONS = 100_000;

    public FanoutSettings {
        if (!topic.matches("[A-Za-z0-9._-]{1,249}")) {
            throw new InvalidSetting("tidegate.fanout.topic", topic, "a Kafka topic name");
        }
        for (int n : formerPartitions) {
            if (n < 1 || n > MAX_PARTITIONS) {
                throw new InvalidSetting("tidegate.fanout.former-partitions", n, "1 to " + MAX_PARTITIONS);
            }
        }
        formerPartitions = List.copyOf(formerPartitions);
        // The upper bound is Kafka's own default for a message (1 MiB less its head).
        InvalidSetting.unlessBetween("tidegate.fanout.max-payload-bytes", maxPayloadBytes, 1, 900_000);
    }
}

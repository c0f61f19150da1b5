package dev.tidegate.ingest.config;

import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The fan-out topic, the same in all services.
 *
 * @param topic its name
 * @param partitions how many it must have at least; it is created with this many
 * @param replication replicas of each partition when it is created; -1 = the brokers' default
 * @param retention how long Kafka keeps events
 * @param maxPayloadBytes largest payload of one event, in bytes or with a unit; 900,000 keeps a record within a broker's default
 *     {@code message.max.bytes}
 * @param topicConfig laid over our settings when the topic is created, by Kafka's names
 */
@ConfigurationProperties("tidegate.fanout")
public record FanoutSettings(
        @DefaultValue("fanout") String topic,
        @DefaultValue("16") int partitions,
        @DefaultValue("1") short replication,
        @DefaultValue("7d") Duration retention,
        @DefaultValue("65536") DataSize maxPayloadBytes,
        @DefaultValue Map<String, String> topicConfig) {
    public FanoutSettings {
        Settings.notBlank("tidegate.fanout.topic", topic);
        Settings.inRange("tidegate.fanout.partitions", partitions, 1, 10_000);
        if (replication != -1) {
            Settings.inRange("tidegate.fanout.replication", replication, 1, 32);
        }
        Settings.inRange("tidegate.fanout.retention", retention, Duration.ofSeconds(1), Duration.ofDays(36_500));
        Settings.inRange("tidegate.fanout.max-payload-bytes", maxPayloadBytes, 1, 900_000);
        topicConfig = Map.copyOf(topicConfig);
    }

    /** The largest payload in bytes. */
    public int maxPayload() {
        return Math.toIntExact(maxPayloadBytes.toBytes());
    }

    /**
     * What the topic is created with. Kafka expires whole segments only, so a segment covers a seventh of the retention, at
     * most a day: history then ends at most that much later than promised. 256 MiB at most, so that a reader that starts
     * somewhere in the log meets small indexes and a restart after a crash has little to check.
     */
    public Map<String, String> creationConfig() {
        Map<String, String> config = new TreeMap<>();
        config.put("cleanup.policy", "delete");
        config.put("retention.ms", Long.toString(retention.toMillis()));
        long segment =
                Math.clamp(retention.toMillis() / 7, 1_000, Duration.ofDays(1).toMillis());
        config.put("segment.ms", Long.toString(segment));
        config.put("segment.bytes", Integer.toString(256 << 20));
        // An acknowledged event must outlive the loss of one broker.
        config.put("min.insync.replicas", replication >= 3 ? "2" : "1");
        config.putAll(topicConfig);
        return config;
    }
}

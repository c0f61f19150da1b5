package dev.tidegate.replay.config;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The fan-out topic, as all services know it; this one takes the topic as it is and never creates it.
 *
 * @param topic the topic's name
 * @param maxPayloadBytes largest payload of an event; what is larger is counted and skipped
 */
@ConfigurationProperties("tidegate.fanout")
public record FanoutSettings(
        @DefaultValue("fanout") String topic,
        @DefaultValue("65536") DataSize maxPayloadBytes) {
    public FanoutSettings {
        if (!topic.matches("[A-Za-z0-9._-]{1,249}")) {
            throw new InvalidSetting("tidegate.fanout.topic", topic, "a Kafka topic name");
        }
        InvalidSetting.unlessBetween("tidegate.fanout.max-payload-bytes", maxPayloadBytes, 1, 900_000);
    }
}

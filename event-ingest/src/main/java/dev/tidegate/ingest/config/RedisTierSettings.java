package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * The copies on Redis; see ADR 110.
 *
 * @param policy when a copy goes out
 * @param maxInFlight copies that Redis has not yet answered; beyond it they are dropped
 * @param maxInFlightSize their bytes together
 * @param timeout after which an unanswered copy means that Redis is away
 * @param probe how often an absent Redis is looked for
 */
@ConfigurationProperties("tidegate.ingest.redis")
public record RedisTierSettings(
        @DefaultValue("always") Policy policy,
        @DefaultValue("8192") int maxInFlight,
        @DefaultValue("16MB") DataSize maxInFlightSize,
        @DefaultValue("1s") Duration timeout,
        @DefaultValue("1s") Duration probe) {
    /** When a copy goes out. */
    public enum Policy {
        /** With every event. */
        ALWAYS,
        /** While Kafka is not healthy. */
        ON_KAFKA_FAILURE,
        /** Never; ephemeral events go all the same. */
        OFF
    }

    public RedisTierSettings {
        Settings.inRange("tidegate.ingest.redis.max-in-flight", maxInFlight, 1, 1_000_000);
        Settings.inRange("tidegate.ingest.redis.max-in-flight-size", maxInFlightSize.toBytes(), 1 << 20, 1L << 32);
        Settings.inRange("tidegate.ingest.redis.timeout", timeout, Duration.ofMillis(50), Duration.ofMinutes(1));
        Settings.inRange("tidegate.ingest.redis.probe", probe, Duration.ofMillis(50), Duration.ofMinutes(1));
    }
}

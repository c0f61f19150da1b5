package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Idempotency keys; see ADR 022.
 *
 * @param ttl how long a key and its first answer are remembered
 * @param maxKeyBytes longest key
 * @param inFlightWait how long a repeat waits for the first request; then {@code 409} with {@code Retry-After}
 * @param redisTimeout longest that Redis may delay a publish
 * @param redisProbe how often an absent Redis is looked for, in the background
 * @param localEntries keys remembered by this instance itself; the oldest is forgotten first
 */
@ConfigurationProperties("tidegate.ingest.idempotency")
public record IdempotencySettings(
        @DefaultValue("24h") Duration ttl,
        @DefaultValue("255") int maxKeyBytes,
        @DefaultValue("2s") Duration inFlightWait,
        @DefaultValue("100ms") Duration redisTimeout,
        @DefaultValue("1s") Duration redisProbe,
        @DefaultValue("20000") int localEntries) {
    public IdempotencySettings {
        Settings.inRange("tidegate.ingest.idempotency.ttl", ttl, Duration.ofSeconds(1), Duration.ofDays(365));
        Settings.inRange("tidegate.ingest.idempotency.max-key-bytes", maxKeyBytes, 16, 1024);
        Settings.inRange(
                "tidegate.ingest.idempotency.in-flight-wait", inFlightWait, Duration.ZERO, Duration.ofMinutes(1));
        Settings.inRange(
                "tidegate.ingest.idempotency.redis-timeout",
                redisTimeout,
                Duration.ofMillis(1),
                Duration.ofSeconds(10));
        Settings.inRange(
                "tidegate.ingest.idempotency.redis-probe", redisProbe, Duration.ofMillis(10), Duration.ofMinutes(1));
        Settings.inRange("tidegate.ingest.idempotency.local-entries", localEntries, 1, 10_000_000);
    }
}

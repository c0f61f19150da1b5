package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * What is kept in PostgreSQL while Kafka cannot be written; reasons in ADRs 111 to 114.
 *
 * @param enabled whether there is a spool; without it a Kafka that is away is a {@code 503}
 * @param maxRows most events of a topic in the spool
 * @param maxSize their bytes together
 * @param maxWaiting most events of this instance that wait for a commit
 * @param maxWaitingSize their bytes together
 * @param insertTimeout how long an event may wait for its commit
 * @param poll how often the spool is looked at; notifications come between
 * @param settle how long after another instance had to spool events may pass the spool by again
 * @param orderPatience how long order is kept while the spool has events and PostgreSQL does not answer
 * @param relayRows most events relayed in one Kafka transaction
 * @param relaySize their bytes together, a first one excepted
 */
@ConfigurationProperties("tidegate.ingest.spool")
public record SpoolSettings(
        @DefaultValue("true") boolean enabled,
        @DefaultValue("1000000") int maxRows,
        @DefaultValue("1GB") DataSize maxSize,
        @DefaultValue("8192") int maxWaiting,
        @DefaultValue("32MB") DataSize maxWaitingSize,
        @DefaultValue("3s") Duration insertTimeout,
        @DefaultValue("1s") Duration poll,
        @DefaultValue("1s") Duration settle,
        @DefaultValue("30s") Duration orderPatience,
        @DefaultValue("500") int relayRows,
        @DefaultValue("4MB") DataSize relaySize) {
    private static final String P = "tidegate.ingest.spool.";

    public SpoolSettings {
        Settings.inRange(P + "max-rows", maxRows, 1, 1_000_000_000);
        Settings.inRange(P + "max-size", maxSize.toBytes(), 1 << 10, 1L << 40);
        Settings.inRange(P + "max-waiting", maxWaiting, 1, 1_000_000);
        Settings.inRange(P + "max-waiting-size", maxWaitingSize.toBytes(), 1 << 10, 1L << 32);
        Settings.inRange(P + "insert-timeout", insertTimeout, Duration.ofMillis(100), Duration.ofMinutes(1));
        Settings.inRange(P + "poll", poll, Duration.ofMillis(50), Duration.ofMinutes(1));
        Settings.inRange(P + "settle", settle, Duration.ofMillis(100), Duration.ofMinutes(5));
        Settings.inRange(P + "order-patience", orderPatience, Duration.ZERO, Duration.ofDays(1));
        Settings.inRange(P + "relay-rows", relayRows, 1, 10_000);
        Settings.inRange(P + "relay-size", relaySize.toBytes(), 1 << 10, 1 << 28);
    }
}

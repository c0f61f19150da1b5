package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * How events are written to Kafka; the reasons of the numbers are in ADR 021.
 *
 * @param deliveryTimeout how long Kafka may take to acknowledge; after it events go to the spool
 * @param suspectAfter how long it may take before that is a symptom (ADR 111)
 * @param linger how long the producer waits for company before it sends
 * @param compression of the producer's batches, by Kafka's names
 * @param bufferSize bound of what waits for Kafka; when it is full, publishers are told {@code 503} at once
 * @param source {@code ce_source} of events whose publisher gives none
 * @param defaultType {@code ce_type} of events whose publisher gives none
 * @param watchInterval how often the topic is looked at, for its id and for Kafka's health
 */
@ConfigurationProperties("tidegate.ingest.publish")
public record PublishSettings(
        @DefaultValue("5s") Duration deliveryTimeout,
        @DefaultValue("500ms") Duration suspectAfter,
        @DefaultValue("0ms") Duration linger,
        @DefaultValue("none") String compression,
        @DefaultValue("32MB") DataSize bufferSize,
        @DefaultValue("/tidegate/ingest") String source,
        @DefaultValue("message") String defaultType,
        @DefaultValue("3s") Duration watchInterval) {
    public PublishSettings {
        Settings.inRange(
                "tidegate.ingest.publish.delivery-timeout",
                deliveryTimeout,
                Duration.ofMillis(500),
                Duration.ofMinutes(2));
        Settings.inRange("tidegate.ingest.publish.suspect-after", suspectAfter, Duration.ofMillis(10), deliveryTimeout);
        Settings.inRange("tidegate.ingest.publish.linger", linger, Duration.ZERO, Duration.ofMillis(100));
        if (!compression.matches("none|gzip|snappy|lz4|zstd")) {
            throw Settings.wrong("tidegate.ingest.publish.compression", compression, "none, gzip, snappy, lz4 or zstd");
        }
        Settings.inRange("tidegate.ingest.publish.buffer-size", bufferSize.toBytes(), 1 << 20, 1L << 34);
        Settings.notBlank("tidegate.ingest.publish.source", source);
        Settings.notBlank("tidegate.ingest.publish.default-type", defaultType);
        Settings.inRange(
                "tidegate.ingest.publish.watch-interval", watchInterval, Duration.ofMillis(100), Duration.ofMinutes(1));
    }
}

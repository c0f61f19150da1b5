package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * What this instance takes at once. Above it a request is answered {@code 429} with {@code Retry-After} before its body
 * is read.
 *
 * @param maxRequests requests being read or written to Kafka
 * @param maxSize their bodies together; a body of unknown length counts as the largest that is allowed
 * @param bodyTimeout how long a request's head may take to arrive whole, and then its body; then {@code 408}
 * @param batchMaxSize largest body of {@code POST /v1/events}
 * @param batchMaxItems most items in it
 * @param batchMaxChannels most {@code channels} of one item
 */
@ConfigurationProperties("tidegate.ingest.admission")
public record AdmissionSettings(
        @DefaultValue("4096") int maxRequests,
        @DefaultValue("64MB") DataSize maxSize,
        @DefaultValue("10s") Duration bodyTimeout,
        @DefaultValue("1MB") DataSize batchMaxSize,
        @DefaultValue("1000") int batchMaxItems,
        @DefaultValue("100") int batchMaxChannels) {
    public AdmissionSettings {
        Settings.inRange("tidegate.ingest.admission.max-requests", maxRequests, 1, 1_000_000);
        Settings.inRange("tidegate.ingest.admission.max-size", maxSize.toBytes(), 1 << 10, 1L << 36);
        Settings.inRange(
                "tidegate.ingest.admission.body-timeout", bodyTimeout, Duration.ofMillis(100), Duration.ofMinutes(10));
        Settings.inRange("tidegate.ingest.admission.batch-max-size", batchMaxSize.toBytes(), 1 << 10, 1 << 28);
        Settings.inRange("tidegate.ingest.admission.batch-max-items", batchMaxItems, 1, 100_000);
        Settings.inRange("tidegate.ingest.admission.batch-max-channels", batchMaxChannels, 1, 10_000);
        if (batchMaxSize.toBytes() > maxSize.toBytes()) {
            throw Settings.wrong(
                    "tidegate.ingest.admission.batch-max-size", batchMaxSize, "at most max-size, " + maxSize);
        }
    }
}

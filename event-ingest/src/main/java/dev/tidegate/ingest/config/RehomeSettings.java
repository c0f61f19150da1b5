package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Moving misplaced records home; see ADR 023.
 *
 * @param enabled whether this instance takes part
 * @param group consumer group in which the instances share the partitions
 * @param reach how far back the group looks when it has no offset yet: far enough for what is written while the service
 *     starts, not so far that old records turn up as new events
 * @param pause between two polls: bounds the work that a busy topic makes, and how much later a record is moved
 */
@ConfigurationProperties("tidegate.rehome")
public record RehomeSettings(
        @DefaultValue("true") boolean enabled,
        @DefaultValue("tidegate-rehome") String group,
        @DefaultValue("10m") Duration reach,
        @DefaultValue("50ms") Duration pause) {
    public RehomeSettings {
        Settings.notBlank("tidegate.rehome.group", group);
        Settings.inRange("tidegate.rehome.reach", reach, Duration.ZERO, Duration.ofDays(365));
        Settings.inRange("tidegate.rehome.pause", pause, Duration.ZERO, Duration.ofSeconds(10));
    }
}

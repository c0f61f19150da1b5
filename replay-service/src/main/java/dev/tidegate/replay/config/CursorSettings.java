package dev.tidegate.replay.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Durable cursors: how far subscribers have acknowledged their channels.
 *
 * @param perSubject most cursors of one subject; further ones are refused, those it has move on
 * @param keep a cursor that was not acknowledged for so long is forgotten; longer than any event is kept
 * @param within how long storing or finding a batch may take
 */
@ConfigurationProperties(value = "tidegate.cursors", ignoreUnknownFields = false)
public record CursorSettings(
        @DefaultValue("10000") int perSubject,
        @DefaultValue("90d") Duration keep,
        @DefaultValue("3s") Duration within) {
    public CursorSettings {
        InvalidSetting.unlessBetween("tidegate.cursors.per-subject", perSubject, 1, 10_000_000);
        InvalidSetting.unlessBetween("tidegate.cursors.keep", keep, Duration.ofMinutes(1), Duration.ofDays(36_500));
        InvalidSetting.unlessBetween("tidegate.cursors.within", within, Duration.ofMillis(100), Duration.ofMinutes(1));
    }
}

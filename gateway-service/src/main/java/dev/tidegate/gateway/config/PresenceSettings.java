package dev.tidegate.gateway.config;

import java.time.Duration;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * Presence, in the namespaces that have it.
 *
 * @param members most members that one answer lists, and that a channel may have for its joins and leaves to be told
 * @param grace how long somebody may be away without having left: a reconnect
 * @param lease how long the members of a gateway that has died stay; it is renewed three times in that time
 */
@ConfigurationProperties(value = "tidegate.presence", ignoreUnknownFields = false)
public record PresenceSettings(
        @DefaultValue("100") int members,
        @DefaultValue("3s") Duration grace,
        @DefaultValue("15s") Duration lease) {
    public PresenceSettings {
        InvalidSetting.unlessBetween("tidegate.presence.members", members, 1, 10_000);
        InvalidSetting.unlessBetween("tidegate.presence.grace", grace, Duration.ZERO, Duration.ofMinutes(1));
        InvalidSetting.unlessBetween("tidegate.presence.lease", lease, Duration.ofMillis(600), Duration.ofMinutes(10));
    }
}

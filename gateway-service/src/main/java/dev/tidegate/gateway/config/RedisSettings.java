package dev.tidegate.gateway.config;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How Redis is reached; what for says {@link GatewaySettings.Redis}.
 *
 * @param url {@code redis://[user:password@]host[:port]}, {@code rediss://} for TLS; of a cluster any node, or some, separated by
 *     commas
 */
@ConfigurationProperties("tidegate.redis")
public record RedisSettings(
        @DefaultValue("redis://127.0.0.1:6379") String url) {
    public RedisSettings {
        if (!url.matches("(redis|rediss|redis-sentinel)://.+")) {
            // Not shown: it may hold a password.
            throw new InvalidSetting("tidegate.redis.url", "(not shown)", "redis://host:port or rediss://host:port");
        }
    }

    /** Without the URL: it may hold a password, and records are logged. */
    @Override
    public String toString() {
        return "RedisSettings[]";
    }
}

package dev.tidegate.replay.config;

import dev.tidegate.postgres.PostgresServer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How PostgreSQL is reached, for durable cursors and the archive. Without a URL the service runs without both.
 *
 * @param url as {@link PostgresServer#parse} reads it; blank: none
 * @param connections most connections; each serves one statement at a time
 * @param pending most statements waiting for a connection; more are refused as {@code unavailable}
 * @param connectWithin how long making a connection may take
 * @param waitWithin how long a statement waits for a connection
 * @param retry how long after a failed migration the next attempt comes
 */
@ConfigurationProperties("tidegate.postgres")
public record PostgresSettings(
        @DefaultValue("") String url,
        @DefaultValue("8") int connections,
        @DefaultValue("256") int pending,
        @DefaultValue("2s") Duration connectWithin,
        @DefaultValue("3s") Duration waitWithin,
        @DefaultValue("2s") Duration retry) {
    private static final String P = "tidegate.postgres.";

    public PostgresSettings {
        var _ = PostgresServer.parse(P + "url", url);
        InvalidSetting.unlessBetween(P + "connections", connections, 1, 500);
        InvalidSetting.unlessBetween(P + "pending", pending, 1, 100_000);
        InvalidSetting.unlessBetween(
                P + "connect-within", connectWithin, Duration.ofMillis(100), Duration.ofMinutes(1));
        InvalidSetting.unlessBetween(P + "wait-within", waitWithin, Duration.ofMillis(100), Duration.ofMinutes(1));
        InvalidSetting.unlessBetween(P + "retry", retry, Duration.ofMillis(50), Duration.ofMinutes(10));
    }

    /** Where the server is; null: there shall be none. */
    public @Nullable PostgresServer server() {
        return PostgresServer.parse(P + "url", url);
    }

    /** Without the URL: it may hold a password, and records are logged. */
    @Override
    public String toString() {
        return "PostgresSettings[" + server() + ", connections=" + connections + "]";
    }
}

package dev.tidegate.ingest.config;

import dev.tidegate.postgres.PostgresServer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How PostgreSQL is reached, for the spool. Without a URL there is none.
 *
 * @param url as {@link PostgresServer#parse} reads it; blank: none
 * @param connectWithin how long making a connection may take
 * @param retry how long after a failure the next attempt comes
 */
@ConfigurationProperties("tidegate.postgres")
public record PostgresSettings(
        @DefaultValue("") String url,
        @DefaultValue("2s") Duration connectWithin,
        @DefaultValue("1s") Duration retry) {
    private static final String URL = "tidegate.postgres.url";

    public PostgresSettings {
        var _ = PostgresServer.parse(URL, url);
        Settings.inRange(
                "tidegate.postgres.connect-within", connectWithin, Duration.ofMillis(100), Duration.ofMinutes(1));
        Settings.inRange("tidegate.postgres.retry", retry, Duration.ofMillis(50), Duration.ofMinutes(10));
    }

    /** Where the server is; null: there shall be none. */
    public @Nullable PostgresServer server() {
        return PostgresServer.parse(URL, url);
    }

    /** Without the URL: it may hold a password, and records are logged. */
    @Override
    public String toString() {
        return "PostgresSettings[" + server() + "]";
    }
}

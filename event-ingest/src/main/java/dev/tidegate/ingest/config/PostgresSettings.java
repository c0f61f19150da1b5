package dev.tidegate.ingest.config;

import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * How PostgreSQL is reached, for the spool. Without a URL there is none.
 *
 * @param url {@code postgresql://user[:password]@host[:port]/database[?sslmode=…]}, percent-encoded where need be; blank: none
 * @param connectWithin how long making a connection may take
 * @param retry how long after a failure the next attempt comes
 */
@ConfigurationProperties("tidegate.postgres")
public record PostgresSettings(
        @DefaultValue("") String url,
        @DefaultValue("2s") Duration connectWithin,
        @DefaultValue("1s") Duration retry) {
    private static final String EXPECTED =
            "postgresql://user[:password]@host[:port]/database[?sslmode=disable|allow|prefer|require|verify-ca|verify-full]";
    private static final int DEFAULT_PORT = 5432;

    public PostgresSettings {
        if (!url.isBlank()) {
            var _ = parse(url);
        }
        Settings.inRange(
                "tidegate.postgres.connect-within", connectWithin, Duration.ofMillis(100), Duration.ofMinutes(1));
        Settings.inRange("tidegate.postgres.retry", retry, Duration.ofMillis(50), Duration.ofMinutes(10));
    }

    /**
     * The parts of the URL.
     *
     * @param sslMode by PostgreSQL's own names; null: the drivers' default
     */
    public record Server(
            String host,
            int port,
            String database,
            String user,
            @Nullable String password,
            @Nullable String sslMode) {
        /** Without the password. */
        @Override
        public String toString() {
            return host + ":" + port + "/" + database;
        }
    }

    /** Where the server is; null: there shall be none. */
    public @Nullable Server server() {
        return url.isBlank() ? null : parse(url);
    }

    private static Server parse(String url) {
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            throw wrong();
        }
        String userInfo = uri.getRawUserInfo();
        String path = uri.getRawPath();
        boolean scheme = "postgresql".equals(uri.getScheme()) || "postgres".equals(uri.getScheme());
        if (!scheme || uri.getHost() == null || userInfo == null || path == null || path.length() < 2) {
            throw wrong();
        }
        String query = uri.getRawQuery();
        if (query != null && !query.matches("sslmode=(disable|allow|prefer|require|verify-ca|verify-full)")) {
            throw wrong();
        }
        int colon = userInfo.indexOf(':');
        return new Server(
                uri.getHost(),
                uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort(),
                decode(path.substring(1)),
                decode(colon < 0 ? userInfo : userInfo.substring(0, colon)),
                colon < 0 ? null : decode(userInfo.substring(colon + 1)),
                query == null ? null : query.substring("sslmode=".length()));
    }

    private static String decode(String raw) {
        return URLDecoder.decode(raw.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    private static IllegalArgumentException wrong() {
        // Not shown: it may hold a password.
        return Settings.wrong("tidegate.postgres.url", "(not shown)", EXPECTED);
    }

    /** Without the URL: it may hold a password, and records are logged. */
    @Override
    public String toString() {
        return "PostgresSettings[" + server() + "]";
    }
}

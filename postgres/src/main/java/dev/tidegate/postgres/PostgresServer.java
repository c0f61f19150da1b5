package dev.tidegate.postgres;

import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.client.SSLMode;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;

/**
 * A PostgreSQL server and who speaks to it, as one URL says it; read the same way by every service.
 *
 * @param password null: the server asks for none
 * @param sslMode by PostgreSQL's own names; null: the drivers' default
 */
public record PostgresServer(
        String host,
        int port,
        String database,
        String user,
        @Nullable String password,
        @Nullable String sslMode) {
    private static final String SSL_MODES = "disable|allow|prefer|require|verify-ca|verify-full";
    private static final String EXPECTED =
            "postgresql://user[:password]@host[:port]/database[?sslmode=" + SSL_MODES + "]";
    private static final int DEFAULT_PORT = 5432;

    /**
     * Reads {@code postgresql://user[:password]@host[:port]/database[?sslmode=…]}, percent-encoded where need be.
     *
     * @param setting whose value it is, for the message
     * @param url blank: there shall be none
     * @return null if there shall be none
     * @throws IllegalArgumentException {@code setting: (not shown) (expected: …)}: the value may hold a password
     */
    public static @Nullable PostgresServer parse(String setting, String url) {
        if (url.isBlank()) {
            return null;
        }
        URI uri;
        try {
            uri = URI.create(url);
        } catch (IllegalArgumentException e) {
            throw wrong(setting);
        }
        String userInfo = uri.getRawUserInfo();
        String path = uri.getRawPath();
        boolean scheme = "postgresql".equals(uri.getScheme()) || "postgres".equals(uri.getScheme());
        if (!scheme || uri.getHost() == null || userInfo == null || path == null || path.length() < 2) {
            throw wrong(setting);
        }
        String query = uri.getRawQuery();
        if (query != null && !query.matches("sslmode=(" + SSL_MODES + ")")) {
            throw wrong(setting);
        }
        int colon = userInfo.indexOf(':');
        return new PostgresServer(
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

    private static IllegalArgumentException wrong(String setting) {
        return new IllegalArgumentException(setting + ": (not shown) (expected: " + EXPECTED + ")");
    }

    /**
     * What R2DBC needs to connect to it.
     *
     * @param application its name, as {@code pg_stat_activity} shows it
     */
    public PostgresqlConnectionConfiguration.Builder r2dbc(String application, Duration connectWithin) {
        PostgresqlConnectionConfiguration.Builder config = PostgresqlConnectionConfiguration.builder()
                .host(host)
                .port(port)
                .database(database)
                .username(user)
                .password(password)
                .applicationName(application)
                .connectTimeout(connectWithin)
                .tcpKeepAlive(true);
        return sslMode == null ? config : config.sslMode(SSLMode.fromValue(sslMode));
    }

    /** The same for JDBC. */
    PGSimpleDataSource jdbc(String application, int connectSeconds, int silentSeconds) {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setServerNames(new String[] {host});
        source.setPortNumbers(new int[] {port});
        source.setDatabaseName(database);
        source.setUser(user);
        source.setPassword(password);
        if (sslMode != null) {
            source.setSslMode(sslMode);
        }
        source.setApplicationName(application);
        source.setConnectTimeout(connectSeconds);
        source.setLoginTimeout(connectSeconds);
        source.setSocketTimeout(silentSeconds);
        return source;
    }

    /** What PostgreSQL, or the way to it, said in the end, in one line: the innermost cause's message. */
    public static String reason(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage()).lines().findFirst().orElse("");
    }

    /** Without user and password: it is logged. */
    @Override
    public String toString() {
        return host + ":" + port + "/" + database;
    }
}

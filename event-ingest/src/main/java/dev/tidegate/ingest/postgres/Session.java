package dev.tidegate.ingest.postgres;

import dev.tidegate.postgres.PostgresServer;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.postgresql.api.Notification;
import io.r2dbc.postgresql.api.PostgresqlConnection;
import io.r2dbc.postgresql.api.PostgresqlStatement;
import io.r2dbc.spi.Readable;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * One connection to PostgreSQL, for one thread at a time, which waits for each answer, so long at most. After any failure
 * it is to be closed: nobody knows what it is in the middle of.
 */
public final class Session implements AutoCloseable {
    private static final Duration CLOSE_WITHIN = Duration.ofSeconds(1);

    private final PostgresqlConnection connection;
    private final Duration within;

    private Session(PostgresqlConnection connection, Duration within) {
        this.connection = connection;
        this.within = within;
    }

    /**
     * Connects.
     *
     * @param name of the application, as {@code pg_stat_activity} shows it
     * @param within how long each answer may take
     * @throws PostgresFailure if that cannot be
     */
    public static Session open(PostgresServer server, String name, Duration connectWithin, Duration within) {
        Mono<PostgresqlConnection> connecting = new PostgresqlConnectionFactory(
                        server.r2dbc(name, connectWithin).build())
                .create()
                .timeout(connectWithin);
        return new Session(await("connecting", connecting, connectWithin.plusSeconds(1)), within);
    }

    /** The rows of a query, mapped. @throws PostgresFailure */
    public <T> List<T> rows(String sql, Function<Readable, T> map, @Nullable Object... parameters) {
        return await(
                sql,
                statement(sql, parameters)
                        .execute()
                        .concatMap(result -> result.map(map))
                        .collectList(),
                within);
    }

    /** The one row of a query, mapped. @throws PostgresFailure */
    public <T> T row(String sql, Function<Readable, T> map, @Nullable Object... parameters) {
        return rows(sql, map, parameters).getFirst();
    }

    /** Whether the one row of a query says so. @throws PostgresFailure */
    public boolean isTrue(String sql, @Nullable Object... parameters) {
        return row(sql, r -> Boolean.TRUE.equals(r.get(0, Boolean.class)), parameters);
    }

    /** Tells all who {@link #listen}, at the end of the transaction if there is one. @throws PostgresFailure */
    public void tell(String channel, String what) {
        var _ = row("SELECT pg_notify($1, $2)::text", r -> true, channel, what);
    }

    /** How many rows a statement changed. @throws PostgresFailure */
    public long update(String sql, @Nullable Object... parameters) {
        return await(
                sql,
                statement(sql, parameters)
                        .execute()
                        .concatMap(result -> result.getRowsUpdated())
                        .reduce(0L, Long::sum),
                within);
    }

    private PostgresqlStatement statement(String sql, @Nullable Object... parameters) {
        PostgresqlStatement statement = connection.createStatement(sql);
        for (int i = 0; i < parameters.length; i++) {
            Object p = parameters[i];
            if (p == null) {
                statement.bindNull(i, String.class); // the only kind that is ever missing here
            } else {
                statement.bind(i, p);
            }
        }
        return statement;
    }

    /** Begins a transaction. @throws PostgresFailure */
    public void begin() {
        awaitEnd("BEGIN", connection.beginTransaction());
    }

    /** Commits it; if this fails, nobody knows whether it is. @throws PostgresFailure */
    public void commit() {
        awaitEnd("COMMIT", connection.commitTransaction());
    }

    /** Takes it back. @throws PostgresFailure */
    public void rollback() {
        awaitEnd("ROLLBACK", connection.rollbackTransaction());
    }

    /**
     * Calls this with each notification's parameter, on the driver's thread, where it must return at once.
     *
     * @param gone called when the connection ends
     */
    public void listen(String channel, Consumer<String> heard, Runnable gone) {
        Flux<Notification> notifications = connection.getNotifications();
        var _ = notifications.subscribe(
                n -> heard.accept(n.getParameter() == null ? "" : n.getParameter()), e -> gone.run(), gone);
        var _ = update("LISTEN " + channel);
    }

    private void awaitEnd(String what, Mono<Void> statement) {
        var _ = await(what, statement.thenReturn(true), within);
    }

    private static <T> T await(String what, Mono<T> statement, Duration within) {
        try {
            T value = statement.block(within);
            if (value == null) {
                throw new IllegalStateException("no answer");
            }
            return value;
        } catch (RuntimeException e) {
            throw new PostgresFailure(what.lines().findFirst().orElse(""), e);
        }
    }

    /** Closes it, in what little time that may take; a server that does not answer finds out by itself. */
    @Override
    public void close() {
        connection.close().timeout(CLOSE_WITHIN).onErrorComplete().subscribe();
    }
}

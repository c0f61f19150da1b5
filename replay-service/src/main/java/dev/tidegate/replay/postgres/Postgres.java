package dev.tidegate.replay.postgres;

import dev.tidegate.postgres.PostgresServer;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.PostgresSettings;
import io.r2dbc.pool.ConnectionPool;
import io.r2dbc.pool.ConnectionPoolConfiguration;
import io.r2dbc.pool.PoolMetrics;
import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.postgresql.util.LogLevel;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.R2dbcBadGrammarException;
import io.r2dbc.spi.R2dbcDataIntegrityViolationException;
import io.r2dbc.spi.R2dbcException;
import io.r2dbc.spi.Wrapped;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.pool.PoolAcquirePendingLimitException;
import reactor.pool.PoolShutdownException;

/**
 * PostgreSQL as this service uses it: a bounded pool of connections, and a schema {@code replay} that is prepared in the background
 * ({@link Migrations}). Statements name their tables with the schema.
 *
 * <p>While it is not configured, not prepared or away, work fails with {@link ProtocolException} {@code unavailable}: at once where
 * that is known, else within the settings' bounds. Going away and coming back are one line of the log each. Any thread; nothing
 * blocks.
 */
public final class Postgres implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Postgres.class);

    /** Idle connections are given back after so long: a service that archives nothing and stores no cursor needs none. */
    private static final Duration IDLE = Duration.ofMinutes(5);

    /** Distinct statements of archive and cursors; each is prepared once per connection. */
    private static final int PREPARED_STATEMENTS = 64;

    private final @Nullable PostgresServer server;
    private final @Nullable ConnectionPool pool;
    private final @Nullable Migrations migrations;
    private final AtomicBoolean answering = new AtomicBoolean(true); // as of the last work that was done

    public Postgres(PostgresSettings settings) {
        this.server = settings.server();
        this.pool = server == null ? null : pool(server, settings);
        this.migrations = server == null ? null : new Migrations(server, settings.retry());
    }

    private static ConnectionPool pool(PostgresServer server, PostgresSettings settings) {
        PostgresqlConnectionConfiguration connection = server.r2dbc("tidegate-replay", settings.connectWithin())
                .preparedStatementCacheQueries(PREPARED_STATEMENTS)
                .forceBinary(true) // as text a payload comes in hex, which is taken apart by a regular expression
                .exceptionLogLevel(e -> LogLevel.DEBUG) // told below, once
                .build();
        return new ConnectionPool(ConnectionPoolConfiguration.builder(new PostgresqlConnectionFactory(connection))
                .name("tidegate-replay")
                .initialSize(0)
                .maxSize(settings.connections())
                .maxIdleTime(IDLE)
                .maxCreateConnectionTime(settings.connectWithin())
                .maxAcquireTime(settings.waitWithin())
                .customizer(pool -> {
                    var _ = pool.maxPendingAcquire(settings.pending());
                })
                .build());
    }

    /** Begins to prepare the schema. */
    public void start() {
        if (migrations == null) {
            log.info("tidegate.postgres.url is not set: no archive, no durable cursors");
        } else {
            migrations.prepare();
        }
    }

    /** Whether there shall be one. */
    public boolean configured() {
        return server != null;
    }

    /** Whether the schema is prepared; it stays so while PostgreSQL is away. */
    public boolean prepared() {
        return migrations != null && migrations.prepared();
    }

    /** Whether it is prepared and the last work was done. */
    public boolean up() {
        return prepared() && answering.get();
    }

    /** Where it is, for people. */
    public String address() {
        return server == null ? "none" : server.toString();
    }

    /** A figure of the pool; 0 without one. */
    public int pooled(ToIntFunction<PoolMetrics> figure) {
        return pool == null ? 0 : pool.getMetrics().map(figure::applyAsInt).orElse(0);
    }

    /**
     * Work with a connection of its own, e.g. a statement or a transaction. A connection on which it was not done in time is closed,
     * since its answer may never come.
     *
     * @param within how long the work may take once it has a connection
     * @return fails with {@link ProtocolException} {@code unavailable} if PostgreSQL is away or too slow
     */
    public <T> Mono<T> run(Duration within, Function<Connection, Mono<T>> work) {
        return Mono.usingWhen(
                        connection(),
                        c -> work.apply(c).timeout(within).doOnSuccess(done -> wasDone()),
                        Connection::close,
                        Postgres::giveBack,
                        Connection::close)
                .onErrorMap(this::failed);
    }

    /**
     * A read with a connection of its own, streamed at the reader's pace: no time limit applies, so the reader must cancel what it
     * does not want any more.
     */
    public <T> Flux<T> stream(Function<Connection, Publisher<T>> work) {
        return Flux.usingWhen(
                        connection(),
                        c -> Flux.from(work.apply(c)).doOnComplete(this::wasDone),
                        Connection::close,
                        Postgres::giveBack,
                        Connection::close)
                .onErrorMap(this::failed);
    }

    private Mono<Connection> connection() {
        return Mono.defer(() -> {
            if (pool == null) {
                return Mono.error(unavailable("there is none (tidegate.postgres.url is not set)"));
            }
            return prepared() ? pool.create() : Mono.error(unavailable("its schema is not prepared yet"));
        });
    }

    private static Publisher<Void> giveBack(Connection connection, Throwable why) {
        if (why instanceof TimeoutException && connection instanceof Wrapped<?> pooled) {
            Connection own = pooled.unwrap(io.r2dbc.postgresql.api.PostgresqlConnection.class);
            if (own != null) {
                return Mono.from(own.close()).onErrorComplete().then(Mono.from(connection.close()));
            }
        }
        return connection.close();
    }

    private void wasDone() {
        if (answering.compareAndSet(false, true)) {
            log.info("PostgreSQL at {} answers again", server);
        }
    }

    private Throwable failed(Throwable e) {
        if (e instanceof R2dbcBadGrammarException && e instanceof R2dbcException sql && isMissing(sql.getSqlState())) {
            log.warn(
                    "PostgreSQL at {} has lost schema {} ({}): preparing it anew",
                    server,
                    Migrations.SCHEMA.name(),
                    e.getMessage());
            if (migrations != null) {
                migrations.prepare();
            }
            return unavailable("its schema is being prepared anew");
        }
        if (!isAway(e)) {
            return e;
        }
        if (answering.compareAndSet(true, false)) {
            log.warn(
                    "PostgreSQL at {} does not answer ({}); archive and durable cursors wait for it",
                    server,
                    reason(e));
        }
        return unavailable(reason(e));
    }

    /** {@code undefined_table}, {@code invalid_schema_name}: the database came back empty. */
    private static boolean isMissing(@Nullable String sqlState) {
        return "42P01".equals(sqlState) || "3F000".equals(sqlState);
    }

    private static boolean isAway(Throwable e) {
        return switch (e) {
            case R2dbcBadGrammarException _, R2dbcDataIntegrityViolationException _ -> false;
            case R2dbcException _,
                    TimeoutException _,
                    IOException _,
                    PoolAcquirePendingLimitException _,
                    PoolShutdownException _ -> true;
            default -> false;
        };
    }

    private static String reason(Throwable e) {
        String message = e.getMessage();
        return message == null
                ? e.getClass().getSimpleName()
                : message.lines().findFirst().orElse(message);
    }

    private static ProtocolException unavailable(String why) {
        return new ProtocolException(ErrorCode.UNAVAILABLE, "PostgreSQL: " + why);
    }

    @Override
    public void close() {
        if (migrations != null) {
            migrations.close();
        }
        if (pool != null) {
            pool.dispose();
        }
    }
}

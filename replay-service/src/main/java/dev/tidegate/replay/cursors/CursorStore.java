package dev.tidegate.replay.cursors;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.CursorSettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.Result;
import io.r2dbc.spi.Row;
import io.r2dbc.spi.Statement;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * The table of durable cursors. A batch is one statement, in the order of its keys, so that batches of several gateways wait for each
 * other instead of for a deadlock's end. Everything fails with {@link ProtocolException} {@code unavailable} while PostgreSQL is away,
 * and {@code bad_request} if there shall be none. Any thread.
 */
public final class CursorStore implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CursorStore.class);

    /**
     * The condition of the update is the whole rule of durable cursors: within one epoch and partition only forward, whatever order
     * tabs and gateways acknowledge in; a cursor of another epoch replaces. A subject that has its most keeps those it has: CASE
     * counts only for a key that is new.
     */
    private static final String STORE = """
            WITH acked AS (
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[])
                    WITH ORDINALITY AS a(subject, name, channel, epoch, partition, "offset", i)
            ), judged AS (
                SELECT a.*, CASE
                    WHEN EXISTS (SELECT FROM replay.durable_cursor c
                        WHERE c.subject = a.subject AND c.name = a.name AND c.channel = a.channel) THEN true
                    ELSE (SELECT count(*) FROM (SELECT FROM replay.durable_cursor c WHERE c.subject = a.subject LIMIT $7) n) < $7
                END AS ok FROM acked a
            ), stored AS (
                INSERT INTO replay.durable_cursor AS c (subject, name, channel, epoch, partition, "offset")
                SELECT subject, name, channel, epoch, partition, "offset" FROM judged WHERE ok
                ORDER BY subject, name, channel
                ON CONFLICT (subject, name, channel) DO UPDATE
                SET epoch = excluded.epoch, partition = excluded.partition, "offset" = excluded."offset", acknowledged = now()
                WHERE c.epoch <> excluded.epoch OR c.partition <> excluded.partition OR c."offset" < excluded."offset"
            )
            SELECT i FROM judged WHERE NOT ok ORDER BY i""";

    private static final String FIND = """
            SELECT k.i, c.epoch, c.partition, c."offset"
            FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS k(subject, name, channel, i)
            JOIN replay.durable_cursor c ON c.subject = k.subject AND c.name = k.name AND c.channel = k.channel""";

    private static final String MATCHES =
            " ($1::text IS NULL OR subject = $1) AND ($2::text IS NULL OR name = $2) AND ($3::text IS NULL OR channel = $3)";

    private static final String LIST = "SELECT * FROM replay.durable_cursor WHERE" + MATCHES + """
             AND ($4::text IS NULL OR (subject, name, channel) > ($4, $5, $6))
            ORDER BY subject, name, channel LIMIT $7""";

    private static final String DELETE = "DELETE FROM replay.durable_cursor WHERE" + MATCHES;

    private static final String FORGET = """
            DELETE FROM replay.durable_cursor WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM replay.durable_cursor
                WHERE acknowledged < now() - make_interval(secs => $1) LIMIT $2))""";

    /** Rows that one statement forgets: a lock on more would be felt by those who acknowledge. */
    private static final int FORGET_ROWS = 1_000;

    private static final Duration FORGET_EVERY = Duration.ofHours(1);

    /** Operators' calls read the table as they like, and so may take longer. */
    private static final Duration OPERATORS_WAIT = Duration.ofSeconds(30);

    private final Postgres postgres;
    private final CursorSettings settings;
    private final ReplayMetrics metrics;
    private volatile Disposable timer = Disposables.disposed();
    private volatile Disposable forgetting = Disposables.disposed();

    public CursorStore(Postgres postgres, CursorSettings settings, ReplayMetrics metrics) {
        this.postgres = postgres;
        this.settings = settings;
        this.metrics = metrics;
    }

    /** Begins to forget old cursors, some time within the first hour so that instances do not all do it at once. */
    public void start() {
        if (postgres.configured()) {
            long first = ThreadLocalRandom.current().nextLong(FORGET_EVERY.toMillis());
            timer = Schedulers.parallel()
                    .schedulePeriodically(this::forgetOld, first, FORGET_EVERY.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    /**
     * Stores a batch; of two for one key the later position counts.
     *
     * @return the indexes of those refused since their subject has its most cursors
     */
    public Mono<List<Integer>> store(List<Ack> batch) {
        Map<CursorKey, Integer> newest = new LinkedHashMap<>();
        for (int i = 0; i < batch.size(); i++) {
            int index = i;
            newest.merge(batch.get(i).key(), i, (a, b) -> isBehind(batch.get(index), batch.get(a)) ? a : b);
        }
        Integer[] kept = newest.values().toArray(Integer[]::new);
        return run(settings.within(), c -> {
                    Statement s = c.createStatement(STORE)
                            .bind("$1", texts(kept, i -> batch.get(i).key().subject()))
                            .bind("$2", texts(kept, i -> batch.get(i).key().durable()))
                            .bind(
                                    "$3",
                                    texts(
                                            kept,
                                            i -> batch.get(i).key().channel().value()))
                            .bind("$4", texts(kept, i -> batch.get(i).cursor().epoch()))
                            .bind(
                                    "$5",
                                    Arrays.stream(kept)
                                            .map(i -> batch.get(i).cursor().partition())
                                            .toArray(Integer[]::new))
                            .bind(
                                    "$6",
                                    Arrays.stream(kept)
                                            .map(i -> batch.get(i).cursor().offset())
                                            .toArray(Long[]::new))
                            .bind("$7", settings.perSubject());
                    return rows(s, row -> kept[index(row)]).collectList();
                })
                .doOnSuccess(refused -> {
                    metrics.cursorsStored.add(kept.length - refused.size());
                    metrics.cursorsRefused.add(refused.size());
                });
    }

    private static boolean isBehind(Ack a, Ack than) {
        return a.cursor().comparableTo(than.cursor())
                && a.cursor().offset() < than.cursor().offset();
    }

    /** Looks a batch up: for each key its cursor, or null if it was never acknowledged. */
    public Mono<List<@Nullable Cursor>> find(List<CursorKey> keys) {
        Integer[] all = new Integer[keys.size()];
        Arrays.setAll(all, i -> i);
        return run(settings.within(), c -> {
                    Statement s = c.createStatement(FIND)
                            .bind("$1", texts(all, i -> keys.get(i).subject()))
                            .bind("$2", texts(all, i -> keys.get(i).durable()))
                            .bind("$3", texts(all, i -> keys.get(i).channel().value()));
                    return rows(s, row -> Map.entry(index(row), cursor(row))).collectList();
                })
                .map(found -> {
                    metrics.cursorsFound.add(found.size());
                    metrics.cursorsMissing.add(keys.size() - found.size());
                    Map<Integer, Cursor> byIndex = new HashMap<>();
                    found.forEach(e -> byIndex.put(e.getKey(), e.getValue()));
                    List<@Nullable Cursor> cursors = new ArrayList<>(keys.size());
                    for (int i = 0; i < keys.size(); i++) {
                        cursors.add(byIndex.get(i));
                    }
                    return cursors;
                });
    }

    /**
     * Cursors in the order of subject, name and channel.
     *
     * @param after the one before the first wanted; null: from the beginning
     */
    public Mono<List<StoredCursor>> list(CursorFilter filter, @Nullable StoredCursor after, int limit) {
        return run(OPERATORS_WAIT, c -> {
            Statement s = bind(c.createStatement(LIST), filter);
            bind(s, "$4", after == null ? null : after.subject());
            bind(s, "$5", after == null ? null : after.durable());
            bind(s, "$6", after == null ? null : after.channel());
            return rows(s.bind("$7", limit), CursorStore::stored).collectList();
        });
    }

    /** Deletes what matches; returns how many those were. */
    public Mono<Long> delete(CursorFilter filter) {
        return run(OPERATORS_WAIT, c -> updated(bind(c.createStatement(DELETE), filter)));
    }

    private void forgetOld() {
        if (postgres.up() && forgetting.isDisposed()) {
            forgetting = forget().subscribe(
                            deleted -> {
                                if (deleted > 0) {
                                    log.info(
                                            "{} durable cursors forgotten: not acknowledged for {}",
                                            deleted,
                                            settings.keep());
                                }
                            },
                            e -> log.debug("Old cursors stay until the next time: {}", e.getMessage()));
        }
    }

    /** Forgets all cursors that are too old; returns how many those were. */
    Mono<Long> forget() {
        return run(
                        OPERATORS_WAIT,
                        c -> updated(c.createStatement(FORGET)
                                .bind("$1", (double) settings.keep().toSeconds())
                                .bind("$2", FORGET_ROWS)))
                .repeat()
                .takeUntil(deleted -> deleted < FORGET_ROWS)
                .reduce(Long::sum);
    }

    private <T> Mono<T> run(Duration within, Function<Connection, Mono<T>> work) {
        return postgres.configured()
                ? postgres.run(within, work)
                : Mono.error(new ProtocolException(
                        ErrorCode.BAD_REQUEST,
                        "durable: no cursors are kept here (tidegate.postgres.url of the replay service is not set)"));
    }

    private static Statement bind(Statement s, CursorFilter filter) {
        bind(s, "$1", filter.subject());
        bind(s, "$2", filter.durable());
        bind(s, "$3", filter.channel());
        return s;
    }

    private static void bind(Statement s, String name, @Nullable String value) {
        var _ = value == null ? s.bindNull(name, String.class) : s.bind(name, value);
    }

    private static String[] texts(Integer[] indexes, Function<Integer, String> text) {
        return Arrays.stream(indexes).map(text).toArray(String[]::new);
    }

    private static <T> Flux<T> rows(Statement s, Function<Row, T> read) {
        return Flux.from(s.execute()).concatMap((Result r) -> r.map((row, metadata) -> read.apply(row)));
    }

    private static Mono<Long> updated(Statement s) {
        return Flux.from(s.execute()).concatMap(Result::getRowsUpdated).reduce(0L, Long::sum);
    }

    /** What stands in {@code i}, which PostgreSQL counts from 1. */
    private static int index(Row row) {
        return (int) (value(row, "i", Long.class) - 1);
    }

    private static Cursor cursor(Row row) {
        return new Cursor(
                value(row, "epoch", String.class),
                value(row, "partition", Integer.class),
                value(row, "offset", Long.class));
    }

    private static StoredCursor stored(Row row) {
        return new StoredCursor(
                value(row, "subject", String.class),
                value(row, "name", String.class),
                value(row, "channel", String.class),
                cursor(row),
                value(row, "acknowledged", OffsetDateTime.class).toInstant().toEpochMilli());
    }

    private static <T> T value(Row row, String column, Class<T> type) {
        return Objects.requireNonNull(row.get(column, type));
    }

    @Override
    public void close() {
        timer.dispose();
        forgetting.dispose();
    }
}

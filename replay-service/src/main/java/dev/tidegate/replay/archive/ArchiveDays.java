package dev.tidegate.replay.archive;

import dev.tidegate.replay.postgres.Postgres;
import io.r2dbc.spi.R2dbcException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The archive's partitions by UTC day: made ahead, and dropped when their time is over, in two steps.
 *
 * <pre>
 * AHEAD -> IN USE -> EXPIRED  its segments are deleted: whoever asks from now on is told that nothing is known of its offsets
 *                 -> DROPPED  a {@code grace} later, when nobody can be reading by what was covered before
 * </pre>
 *
 * <p>So a reader never finds a day without its events and takes that for silence, and needs no lock to be sure. Dropping waits for
 * readers of the moment one second, then comes again with the next sweep: a lock that waits would hold up all readers behind it.
 * Several instances may sweep; each step is harmless if another has done it. For one thread.
 */
final class ArchiveDays {
    private static final Logger log = LoggerFactory.getLogger(ArchiveDays.class);

    /** Days made ahead: tomorrow's records come before midnight where clocks differ. */
    private static final int AHEAD = 2;

    private static final Duration WITHIN = Duration.ofSeconds(20);
    private static final String TABLE = "archive_event_";
    private static final DateTimeFormatter NAME = DateTimeFormatter.BASIC_ISO_DATE;

    private final Postgres postgres;
    private final int keptDays;
    private final Duration grace;
    private final Map<LocalDate, Long> expired =
            new HashMap<>(); // since when, System.nanoTime; bounded by the days there are

    /**
     * The days.
     *
     * @param retention how long a day is kept after its end; whole days
     * @param grace longer than a read may last, the age of the coverage it goes by included
     */
    ArchiveDays(Postgres postgres, Duration retention, Duration grace) {
        this.postgres = postgres;
        this.keptDays = Math.toIntExact(retention.toDays());
        this.grace = grace;
    }

    /** The oldest day that is kept. */
    static LocalDate oldestKept(LocalDate today, Duration retention) {
        return today.minusDays(retention.toDays());
    }

    /** Makes partitions for these days, those that are there excepted. */
    static Mono<Void> add(Postgres postgres, Collection<LocalDate> days) {
        return postgres.run(
                WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement("SELECT replay.archive_add_day(d) FROM unnest($1::date[]) AS d")
                                        .bind("$1", days.toArray(LocalDate[]::new)),
                                row -> true)
                        .then());
    }

    /** Makes what is missing and drops what is over. */
    Mono<Void> sweep(LocalDate today) {
        LocalDate oldest = today.minusDays(keptDays);
        List<LocalDate> ahead = today.datesUntil(today.plusDays(AHEAD + 1L)).toList();
        return add(postgres, ahead)
                .then(expire(oldest))
                .flatMap(touched -> list().map(days -> due(days, oldest, touched, System.nanoTime())))
                .flatMapMany(Flux::fromIterable)
                .concatMap(this::drop)
                .then();
    }

    /** First step: the days whose segments were deleted now. */
    private Mono<Set<LocalDate>> expire(LocalDate oldest) {
        return postgres.run(
                WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement("DELETE FROM replay.archive_segment WHERE day < $1 RETURNING day")
                                        .bind("$1", oldest),
                                row -> Objects.requireNonNull(row.get(0, LocalDate.class)))
                        .collect(HashSet::new, Set::add));
    }

    /** The days there are. */
    Mono<List<LocalDate>> list() {
        return postgres.run(
                WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement(
                                        "SELECT t.relname::text FROM pg_inherits i JOIN pg_class t ON t.oid = i.inhrelid"
                                                + " WHERE i.inhparent = 'replay.archive_event'::regclass ORDER BY 1"),
                                row -> LocalDate.parse(
                                        Objects.requireNonNull(row.get(0, String.class))
                                                .substring(TABLE.length()),
                                        NAME))
                        .collectList());
    }

    private List<LocalDate> due(List<LocalDate> days, LocalDate oldest, Set<LocalDate> touched, long now) {
        expired.keySet().removeIf(day -> touched.contains(day) || !days.contains(day) || !day.isBefore(oldest));
        days.stream().filter(day -> day.isBefore(oldest)).forEach(day -> expired.putIfAbsent(day, now));
        return days.stream()
                .filter(day -> expired.containsKey(day) && now - expired.get(day) >= grace.toNanos())
                .toList();
    }

    /** Second step. */
    private Mono<Void> drop(LocalDate day) {
        // The name is made of a date, so it may stand in the statement.
        String table = "replay." + TABLE + NAME.format(day);
        return postgres.run(
                        WITHIN,
                        c -> Mono.from(c.beginTransaction())
                                .then(ArchiveStore.count(c.createStatement("SET LOCAL lock_timeout = '1s'")))
                                .then(ArchiveStore.count(c.createStatement("DROP TABLE IF EXISTS " + table)))
                                .then(Mono.from(c.commitTransaction()))
                                .thenReturn(true)
                                .onErrorResume(e -> Mono.from(c.rollbackTransaction())
                                        .onErrorComplete()
                                        .then(isBusy(e) ? Mono.just(false) : Mono.error(e))))
                .doOnSuccess(done -> {
                    if (Boolean.TRUE.equals(done)) {
                        log.info("The archive's day {} is over: dropped", day);
                    }
                })
                .onErrorResume(e -> {
                    log.debug("The archive's day {} could not be dropped yet", day, e);
                    return Mono.just(false);
                })
                .then();
    }

    /** {@code lock_not_available}: somebody reads; the next sweep comes again. */
    private static boolean isBusy(Throwable e) {
        return e instanceof R2dbcException sql && "55P03".equals(sql.getSqlState());
    }
}

package dev.tidegate.replay.archive;

import dev.tidegate.replay.postgres.Postgres;
import io.r2dbc.postgresql.api.PostgresqlConnection;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.Readable;
import io.r2dbc.spi.Statement;
import io.r2dbc.spi.Wrapped;
import java.time.Duration;
import java.time.LocalDate;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The archive's tables. Exactly once: the events of a batch, the segments that say what was looked at, and the move of each partition's
 * position from where the writer believes it to be are one transaction; if a position is elsewhere, somebody else has written, and nothing
 * is. So it does not matter who believes to be the writer of a partition. Any thread; nothing blocks.
 */
final class ArchiveStore {
    /** A batch is some thousand rows: tens of milliseconds. What takes longer is given up and tried again. */
    static final Duration WRITE_WITHIN = Duration.ofSeconds(10);

    private static final Duration ASK_WITHIN = Duration.ofSeconds(5);

    private static final String PLACES = """
            SELECT p.partition, p.next_offset, s.first_offset, s.next_offset AS segment_next, s.day, s.namespaces
            FROM replay.archive_position p
            LEFT JOIN LATERAL (
                SELECT * FROM replay.archive_segment s
                WHERE s.epoch = p.epoch AND s.partition = p.partition ORDER BY s.first_offset DESC LIMIT 1) s ON true
            WHERE p.epoch = $1 AND p.partition = ANY($2)""";

    private static final String BEGIN = """
            INSERT INTO replay.archive_position (epoch, partition, next_offset)
            SELECT $1, n.* FROM unnest($2::int[], $3::bigint[]) AS n ON CONFLICT DO NOTHING""";

    private static final String MOVE = """
            UPDATE replay.archive_position p SET next_offset = n.next_offset
            FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS n (partition, expected, next_offset)
            WHERE p.epoch = $1 AND p.partition = n.partition AND p.next_offset = n.expected""";

    private static final String GROW = """
            UPDATE replay.archive_segment s SET next_offset = n.next_offset
            FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[]) AS n (partition, first_offset, expected, next_offset)
            WHERE s.epoch = $1 AND s.partition = n.partition AND s.first_offset = n.first_offset
              AND s.next_offset = n.expected""";

    private static final String ADD = """
            INSERT INTO replay.archive_segment (epoch, partition, first_offset, next_offset, day, namespaces)
            SELECT $1, n.*, $6 FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::date[]) AS n""";

    // Neighbouring segments of the same namespaces are one range: a row a partition rather than one a partition and
    // day.
    private static final String COVERAGE = """
            SELECT partition, min(first_offset) AS first_offset, max(next_offset) AS next_offset, namespaces
            FROM (SELECT *, sum(CASE WHEN adjoins THEN 0 ELSE 1 END)
                      OVER (PARTITION BY partition ORDER BY first_offset) AS island
                  FROM (SELECT partition, first_offset, next_offset, namespaces,
                               lag(next_offset) OVER w = first_offset AND lag(namespaces) OVER w = namespaces AS adjoins
                        FROM replay.archive_segment WHERE epoch = $1
                        WINDOW w AS (PARTITION BY partition ORDER BY first_offset)) s) i
            GROUP BY partition, island, namespaces""";

    private final Postgres postgres;

    ArchiveStore(Postgres postgres) {
        this.postgres = postgres;
    }

    /**
     * Offsets of one partition and day that were looked at.
     *
     * @param next the one behind the last
     */
    record Segment(long first, long next, LocalDate day, List<String> namespaces) {}

    /**
     * Up to where a partition was archived.
     *
     * @param next the offset to go on with
     * @param last the last segment, or null if there is none (any more)
     */
    record Place(long next, @Nullable Segment last) {}

    /** A partition's position moves. */
    record Move(int partition, long from, long to) {}

    /**
     * A segment begins or grows.
     *
     * @param was where it ended; {@code first} if it is new
     */
    record Piece(int partition, long first, long was, long next, LocalDate day) {
        boolean isNew() {
            return was == first;
        }
    }

    /** The places of those partitions that have one. */
    Mono<Map<Integer, Place>> places(String epoch, Set<Integer> partitions) {
        return postgres.run(
                ASK_WITHIN,
                c -> rows(
                                c.createStatement(PLACES).bind("$1", epoch).bind("$2", integers(partitions)),
                                row -> Map.entry(integer(row, "partition"), place(row)))
                        .collectMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    private static Place place(Readable row) {
        Long first = row.get("first_offset", Long.class);
        Segment last = first == null
                ? null
                : new Segment(
                        first,
                        number(row, "segment_next"),
                        Objects.requireNonNull(row.get("day", LocalDate.class)),
                        List.of(Objects.requireNonNull(row.get("namespaces", String[].class))));
        return new Place(number(row, "next_offset"), last);
    }

    /** Gives partitions a place, unless they have one. */
    Mono<Void> begin(String epoch, Map<Integer, Long> offsets) {
        Integer[] partitions = offsets.keySet().toArray(Integer[]::new);
        Long[] from = Arrays.stream(partitions).map(offsets::get).toArray(Long[]::new);
        return postgres.run(
                ASK_WITHIN,
                c -> count(c.createStatement(BEGIN)
                                .bind("$1", epoch)
                                .bind("$2", partitions)
                                .bind("$3", from))
                        .then());
    }

    /** Writes a batch, or nothing if a position or segment is not where it was expected. The days must be there. */
    Mono<Boolean> write(String epoch, List<Move> moves, List<Piece> pieces, Set<String> namespaces, CopyRows rows) {
        List<Piece> grown = pieces.stream().filter(p -> !p.isNew()).toList();
        List<Piece> fresh = pieces.stream().filter(Piece::isNew).toList();
        return postgres.run(
                WRITE_WITHIN,
                c -> Mono.from(c.beginTransaction())
                        .then(move(c, epoch, moves))
                        .flatMap(n -> n == moves.size() ? grow(c, epoch, grown) : Mono.just(-1L))
                        .flatMap(n -> n == grown.size()
                                ? add(c, epoch, fresh, namespaces)
                                        .then(copy(c, rows))
                                        .then(Mono.from(c.commitTransaction()))
                                        .thenReturn(true)
                                : Mono.from(c.rollbackTransaction()).thenReturn(false))
                        .onErrorResume(e -> Mono.from(c.rollbackTransaction())
                                .onErrorComplete()
                                .then(Mono.error(e))));
    }

    private static Mono<Long> move(Connection c, String epoch, List<Move> moves) {
        return count(c.createStatement(MOVE)
                .bind("$1", epoch)
                .bind("$2", moves.stream().map(Move::partition).toArray(Integer[]::new))
                .bind("$3", moves.stream().map(Move::from).toArray(Long[]::new))
                .bind("$4", moves.stream().map(Move::to).toArray(Long[]::new)));
    }

    private static Mono<Long> grow(Connection c, String epoch, List<Piece> pieces) {
        return pieces.isEmpty()
                ? Mono.just(0L)
                : count(c.createStatement(GROW)
                        .bind("$1", epoch)
                        .bind("$2", pieces.stream().map(Piece::partition).toArray(Integer[]::new))
                        .bind("$3", pieces.stream().map(Piece::first).toArray(Long[]::new))
                        .bind("$4", pieces.stream().map(Piece::was).toArray(Long[]::new))
                        .bind("$5", pieces.stream().map(Piece::next).toArray(Long[]::new)));
    }

    private static Mono<Void> add(Connection c, String epoch, List<Piece> pieces, Set<String> namespaces) {
        return pieces.isEmpty()
                ? Mono.empty()
                : count(c.createStatement(ADD)
                                .bind("$1", epoch)
                                .bind(
                                        "$2",
                                        pieces.stream().map(Piece::partition).toArray(Integer[]::new))
                                .bind("$3", pieces.stream().map(Piece::first).toArray(Long[]::new))
                                .bind("$4", pieces.stream().map(Piece::next).toArray(Long[]::new))
                                .bind("$5", pieces.stream().map(Piece::day).toArray(LocalDate[]::new))
                                .bind("$6", namespaces.stream().sorted().toArray(String[]::new)))
                        .then();
    }

    private static Mono<Long> copy(Connection c, CopyRows rows) {
        if (rows.count() == 0) {
            return Mono.just(0L);
        }
        PostgresqlConnection own = c instanceof Wrapped<?> pooled ? pooled.unwrap(PostgresqlConnection.class) : null;
        return own == null
                ? Mono.error(new IllegalStateException("not a connection to PostgreSQL: " + c))
                : own.copyIn(CopyRows.COPY, rows.toCopy());
    }

    /** What is covered of a topic now. */
    Mono<Coverage> coverage(String epoch) {
        return Mono.defer(() -> {
            long now = System.nanoTime();
            return postgres.run(
                    ASK_WITHIN,
                    c -> rows(
                                    c.createStatement(COVERAGE).bind("$1", epoch),
                                    row -> new Coverage.Range(
                                            integer(row, "partition"),
                                            number(row, "first_offset"),
                                            number(row, "next_offset"),
                                            Set.of(Objects.requireNonNull(row.get("namespaces", String[].class)))))
                            .collectList()
                            .map(ranges -> new Coverage(epoch, ranges, now)));
        });
    }

    // ---- for the classes of this package

    static <T> Flux<T> rows(Statement statement, Function<Readable, T> map) {
        return Flux.from(statement.execute()).concatMap(result -> result.map(map));
    }

    static Mono<Long> count(Statement statement) {
        return Flux.from(statement.execute())
                .concatMap(result -> Mono.from(result.getRowsUpdated()).defaultIfEmpty(0L))
                .reduce(0L, Long::sum);
    }

    static long number(Readable row, String column) {
        return Objects.requireNonNull(row.get(column, Long.class));
    }

    static int integer(Readable row, String column) {
        return Objects.requireNonNull(row.get(column, Integer.class));
    }

    private static Integer[] integers(Collection<Integer> of) {
        return of.toArray(Integer[]::new);
    }
}

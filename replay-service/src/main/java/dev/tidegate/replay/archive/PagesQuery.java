package dev.tidegate.replay.archive;

import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.reads.ReadTicket;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.Readable;
import io.r2dbc.spi.Statement;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * One query for a page of each of several requests: their rows come one request after the other, and each request has at least one row,
 * an empty one if it has no event. So it is seen of every request that it was answered; what was not is never taken for "nothing there".
 *
 * <pre>
 * request   AHEAD -> CURRENT (its first row) -> DONE     all there is, or its page is full, or nobody wants it any more
 *                                            -> AGAIN    its share of rows is used up, or the query was cut while it was current
 *           AHEAD -> LEFT     the query was cut before it came to this one
 *           any but DONE -> FAILED  with the query
 * query     READING -> SETTLED  all rows have come; or cut: a bound was hit, or nobody wants what may still come
 * </pre>
 *
 * <p>Bounded: {@value #ROWS} rows, shared out evenly among the requests (one that is alone has its whole page), {@link #BYTES} of
 * payload and {@link #TIME} after which it is cut, of which {@value #FETCH} rows are on their way at a time. Whatever is cut made
 * progress: one row at least was given. Rows come on the connection's thread.
 */
final class PagesQuery {
    /** Rows of a query for several: some 30 ms of work, so that whoever comes next does not wait long. */
    static final int ROWS = 8_192;

    /** Payload bytes after which a query is cut: what a connection moves in some 10 ms. The row that crosses it is still in. */
    static final long BYTES = 4 << 20;

    /** Well below the time after which a read is given up: one that is slow, with many requests, shall be cut instead. */
    private static final Duration TIME = Duration.ofSeconds(1);

    /** Rows a round trip: at most 4 MB of the largest payloads, mostly some KB. */
    private static final int FETCH = 64;

    /** The day that a segment's offsets are of leaves out the others; days and offsets have the same order. */
    private static final String ONE = """
            SELECT "offset", id, type, content_type, time, payload FROM replay.archive_event
            WHERE channel = $1 AND epoch = $2 AND partition = $3 AND "offset" > $4 AND "offset" <= $5
              AND day >= coalesce((SELECT day FROM replay.archive_segment
                                   WHERE epoch = $2 AND partition = $3 AND first_offset <= $4 + 1
                                   ORDER BY first_offset DESC LIMIT 1), '-infinity')
              AND day <= coalesce((SELECT day FROM replay.archive_segment
                                   WHERE epoch = $2 AND partition = $3 AND first_offset <= $5
                                   ORDER BY first_offset DESC LIMIT 1), 'infinity')
            ORDER BY day, "offset" LIMIT $6""";

    /**
     * The same for each of several. Materialized, so that the days are plain values by which other days are left out. It says
     * nothing of the order of the requests, since that would be a sort of all rows; a nested loop keeps it, and {@link #row} checks it.
     */
    private static final String SEVERAL = """
            WITH asked AS MATERIALIZED (
                SELECT a.*,
                    coalesce((SELECT s.day FROM replay.archive_segment s
                              WHERE s.epoch = a.epoch AND s.partition = a.partition AND s.first_offset <= a.after + 1
                              ORDER BY s.first_offset DESC LIMIT 1), '-infinity') AS first_day,
                    coalesce((SELECT s.day FROM replay.archive_segment s
                              WHERE s.epoch = a.epoch AND s.partition = a.partition AND s.first_offset <= a.up_to
                              ORDER BY s.first_offset DESC LIMIT 1), 'infinity') AS last_day
                FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::int[])
                    WITH ORDINALITY AS a (channel, epoch, partition, after, up_to, most, n))
            SELECT e."offset", e.id, e.type, e.content_type, e.time, e.payload, a.n
            FROM asked a LEFT JOIN LATERAL (
                SELECT "offset", id, type, content_type, time, payload FROM replay.archive_event
                WHERE channel = a.channel AND epoch = a.epoch AND partition = a.partition
                  AND "offset" > a.after AND "offset" <= a.up_to AND day >= a.first_day AND day <= a.last_day
                ORDER BY day, "offset" LIMIT a.most) e ON true""";

    // Columns of both, by number: a name would be looked up for each value.
    private static final int OFFSET = 0;
    private static final int ID = 1;
    private static final int TYPE = 2;
    private static final int CONTENT_TYPE = 3;
    private static final int EVENT_TIME = 4;
    private static final int PAYLOAD = 5;
    private static final int REQUEST = 6;

    private final List<ReadTicket> tickets; // AHEAD, CURRENT and DONE: behind, at and before current
    private final int share;
    private final ReplayMetrics metrics;
    private final List<ReadTicket> again = new ArrayList<>();
    private final List<ReadTicket> left = new ArrayList<>();

    private long begun;
    private boolean cut;
    private long bytes;

    // Of the current request.
    private int current;
    private byte[] channel;
    private long after;
    private int most; // events; one row more is asked for, to know whether the last of them is the last there is
    private int rows;
    private long seen; // the last row's offset
    private FanoutRecord last = new FanoutRecord();
    private FanoutRecord spare = new FanoutRecord();
    private long lastOffset = -1; // of an event that has come and was not given yet; -1: there is none

    /** A query for these, one at least. */
    PagesQuery(List<ReadTicket> tickets, ReplayMetrics metrics) {
        this.tickets = List.copyOf(tickets);
        this.share = tickets.size() == 1 ? Integer.MAX_VALUE : Math.max(1, ROWS / tickets.size());
        this.metrics = metrics;
        this.channel = channelOf(tickets.getFirst());
        begin(0);
    }

    /** Runs it; what was found is with the tickets, step by step. */
    Mono<Void> run(Connection connection) {
        begun = System.nanoTime();
        return ArchiveStore.rows(statement(connection), this::row)
                .takeUntil(goesOn -> !goesOn)
                .then(Mono.fromRunnable(this::settle));
    }

    private Statement statement(Connection connection) {
        if (tickets.size() == 1) {
            ReadTicket.Wanted w = tickets.getFirst().wanted();
            return connection
                    .createStatement(ONE)
                    .bind("$1", text(w.channel().bytes()))
                    .bind("$2", w.epoch())
                    .bind("$3", w.partition())
                    .bind("$4", after)
                    .bind("$5", w.upTo())
                    .bind("$6", most + 1)
                    .fetchSize(FETCH);
        }
        return connection
                .createStatement(SEVERAL)
                .bind("$1", all(String[]::new, t -> text(channelOf(t))))
                .bind("$2", all(String[]::new, t -> t.wanted().epoch()))
                .bind("$3", all(Integer[]::new, t -> t.wanted().partition()))
                .bind("$4", all(Long[]::new, ReadTicket::position))
                .bind("$5", all(Long[]::new, t -> t.wanted().upTo()))
                .bind("$6", all(Integer[]::new, t -> most(t) + 1))
                .fetchSize(FETCH);
    }

    private <T> T[] all(IntFunction<T[]> array, Function<ReadTicket, T> of) {
        return tickets.stream().map(of).toArray(array);
    }

    /** A row has come. Returns whether more are wanted. */
    private boolean row(Readable row) {
        if (cut) {
            return false;
        }
        int at = tickets.size() == 1 ? 0 : Math.toIntExact(Objects.requireNonNull(row.get(REQUEST, Long.class))) - 1;
        if (at == current + 1) {
            finish();
            begin(at);
        } else if (at != current) {
            throw new IllegalStateException("a row of request " + at + " came after those of " + current);
        }
        Long offset = row.get(OFFSET, Long.class);
        if (offset != null) {
            event(offset, row);
        }
        return wantsMore();
    }

    private void begin(int at) {
        ReadTicket ticket = tickets.get(at);
        current = at;
        channel = channelOf(ticket);
        after = ticket.position();
        most = most(ticket);
        rows = 0;
        seen = after;
        lastOffset = -1;
    }

    private int most(ReadTicket ticket) {
        return Math.clamp(ticket.wanted().maxEvents() - ticket.found(), 0, share);
    }

    private void event(long offset, Readable row) {
        if (offset <= seen) {
            throw new IllegalStateException("offset " + offset + " came after " + seen + " of request " + current);
        }
        seen = offset;
        rows++;
        give();
        if (ticket().isOver()) {
            return;
        }
        FanoutRecord next = spare;
        spare = last;
        last = next;
        byte[] payload = Objects.requireNonNull(row.get(PAYLOAD, byte[].class));
        bytes += payload.length;
        next.wrap(channel, payload, Objects.requireNonNull(row.get(EVENT_TIME, Long.class)));
        header(next, FanoutRecord.HEADER_ID, row.get(ID, String.class));
        header(next, FanoutRecord.HEADER_TYPE, row.get(TYPE, String.class));
        header(next, FanoutRecord.HEADER_CONTENT_TYPE, row.get(CONTENT_TYPE, String.class));
        lastOffset = offset;
    }

    private static void header(FanoutRecord record, String name, @Nullable String value) {
        if (value != null) {
            record.header(name, value.getBytes(StandardCharsets.UTF_8));
        }
    }

    private void give() {
        if (lastOffset >= 0) {
            ticket().event(lastOffset, last);
            lastOffset = -1;
        }
    }

    private boolean wantsMore() {
        cut = bytes >= BYTES || System.nanoTime() - begun >= TIME.toNanos() || (ticket().isOver() && nobodyAhead());
        return !cut;
    }

    private boolean nobodyAhead() {
        for (int i = current + 1; i < tickets.size(); i++) {
            if (!tickets.get(i).isOver()) {
                return false;
            }
        }
        return true;
    }

    /** No more rows come, or are wanted. */
    private void settle() {
        if (!cut && current != tickets.size() - 1) {
            throw new IllegalStateException("no row of request " + (current + 1) + " came");
        }
        if (cut) {
            part();
        } else {
            finish();
        }
        for (int i = current + 1; i < tickets.size(); i++) {
            if (!tickets.get(i).isOver()) {
                left.add(tickets.get(i));
            }
        }
    }

    /** All rows of the current request have come. */
    private void finish() {
        if (rows > most) {
            part();
            return;
        }
        ReadTicket ticket = ticket();
        count(ticket);
        if (lastOffset >= 0) {
            ticket.lastEvent(lastOffset, last);
        }
        ticket.passed(ticket.wanted().upTo());
    }

    /** There may be more of the current request than has come. */
    private void part() {
        ReadTicket ticket = ticket();
        count(ticket);
        give();
        ticket.passed(ticket.position());
        if (!ticket.isOver()) {
            again.add(ticket);
        }
    }

    private void count(ReadTicket ticket) {
        if (after == ticket.wanted().after()) {
            metrics.archiveReads.increment();
        }
    }

    /** It has failed, and with it all that were not done. Any thread, also while a row is worked off. */
    void fail(String why) {
        tickets.forEach(t -> t.end(ReadTicket.State.UNAVAILABLE, why));
    }

    /** Once it has settled: those that have had a part of their page and are not done. */
    List<ReadTicket> again() {
        return again;
    }

    /** Once it has settled: those that it did not come to, in order. */
    List<ReadTicket> left() {
        return left;
    }

    private ReadTicket ticket() {
        return tickets.get(current);
    }

    private static byte[] channelOf(ReadTicket ticket) {
        return ticket.wanted().channel().bytes();
    }

    /** A channel as the archive has it. */
    static String text(byte[] channel) {
        return new String(channel, StandardCharsets.US_ASCII);
    }
}

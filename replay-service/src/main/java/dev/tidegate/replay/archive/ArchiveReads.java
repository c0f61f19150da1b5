package dev.tidegate.replay.archive;

import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.reads.Room;
import io.r2dbc.spi.Readable;
import io.r2dbc.spi.Statement;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * Reads pages of the archive. So many reads at most are under way, and who comes first is served first; each reads a page at most, so
 * that one who wants all of a huge channel stands at the end of the queue again for each page. Rows come {@value #FETCH} at a time
 * and are asked for when the last were worked off; a page that is full cancels the rest. Any thread; nothing blocks.
 */
final class ArchiveReads implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ArchiveReads.class);

    /** A page takes milliseconds; what takes longer is given up, and Kafka asked if it can help. */
    static final Duration READ_WITHIN = Duration.ofSeconds(5);

    /** Rows a round trip: at most 4 MB of the largest payloads, mostly some KB. */
    private static final int FETCH = 64;

    private static final long TICK_MILLIS = 100;

    /** The day that a segment's offsets are of leaves out the others; days and offsets have the same order. */
    private static final String PAGE = """
            SELECT "offset", id, type, content_type, time, payload FROM replay.archive_event
            WHERE channel = $1 AND epoch = $2 AND partition = $3 AND "offset" > $4 AND "offset" <= $5
              AND day >= coalesce((SELECT max(day) FROM replay.archive_segment
                                   WHERE epoch = $2 AND partition = $3 AND first_offset <= $4 + 1), '-infinity')
              AND day <= coalesce((SELECT max(day) FROM replay.archive_segment
                                   WHERE epoch = $2 AND partition = $3 AND first_offset <= $5), 'infinity')
            ORDER BY day, "offset" LIMIT $6""";

    private static final String NEWEST = """
            SELECT count(*) AS found, min("offset") AS oldest FROM (
                SELECT "offset" FROM replay.archive_event
                WHERE channel = $1 AND epoch = $2 AND partition = $3 AND "offset" >= $4 AND "offset" <= $5
                ORDER BY day DESC, "offset" DESC LIMIT $6) newest""";

    private static final String SINCE = """
            SELECT "offset" FROM replay.archive_event
            WHERE channel = $1 AND epoch = $2 AND partition = $3 AND "offset" >= $4 AND day >= $5 AND stored >= $6
            ORDER BY day, "offset" LIMIT 1""";

    private final Postgres postgres;
    private final ReplaySettings.Archive settings;
    private final ReplayMetrics metrics;
    private final Room room;
    private final Disposable timer;

    private final ArrayDeque<ReadTicket> waiting = new ArrayDeque<>(); // guarded by this, bounded by settings.readQueue
    private int active; // guarded by this, bounded by settings.reads
    private boolean closed; // guarded by this
    private final AtomicInteger calls = new AtomicInteger(); // of next(), while one is at work

    ArchiveReads(Postgres postgres, ReplaySettings.Archive settings, ReplayMetrics metrics) {
        this.postgres = postgres;
        this.settings = settings;
        this.metrics = metrics;
        this.room = new Room(settings.readBuffers().toBytes());
        this.timer =
                Schedulers.parallel().schedulePeriodically(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Asks for a page; what comes of it is told by the ticket. The range must be covered. */
    ReadTicket submit(ReadTicket.Wanted wanted) {
        ReadTicket ticket = new ReadTicket(wanted, room);
        boolean refused;
        synchronized (this) {
            refused = closed || waiting.size() >= settings.readQueue();
            if (!refused) {
                waiting.add(ticket);
            }
        }
        if (refused) {
            refuse(ticket, "too many requests wait for the archive");
        } else {
            next();
        }
        return ticket;
    }

    /** Begins what can be begun. Not by recursion: where PostgreSQL is away each read ends before it has returned. */
    private void next() {
        if (calls.getAndIncrement() > 0) {
            return;
        }
        do {
            calls.set(1);
            for (ReadTicket ticket = poll(); ticket != null; ticket = poll()) {
                read(ticket);
            }
        } while (calls.decrementAndGet() > 0);
    }

    private synchronized @Nullable ReadTicket poll() {
        while (active < settings.reads()) {
            ReadTicket ticket = waiting.poll();
            if (ticket == null || !ticket.isOver()) {
                active += ticket == null ? 0 : 1;
                return ticket;
            }
        }
        return null;
    }

    private void read(ReadTicket ticket) {
        metrics.archiveReads.increment();
        ReadTicket.Wanted w = ticket.wanted();
        Page page = new Page(ticket);
        Disposable _ = postgres.run(
                        READ_WITHIN,
                        c -> ArchiveStore.rows(page(c.createStatement(PAGE), w), page::row)
                                .takeUntil(row -> ticket.isOver())
                                .count())
                .subscribe(
                        rows -> page.end(),
                        e -> {
                            log.debug("A page could not be read from the archive", e);
                            ticket.end(
                                    ReadTicket.State.UNAVAILABLE, "the archive cannot be read now: " + e.getMessage());
                            done();
                        },
                        this::done);
    }

    /**
     * Rows on their way into a ticket, each given when the next has come: one row more than the page may hold is asked for, so that
     * it is known whether the last of a full page is the last there is. For one thread at a time.
     */
    private static final class Page {
        private final ReadTicket ticket;
        private final byte[] channel;
        private FanoutRecord last = new FanoutRecord();
        private FanoutRecord spare = new FanoutRecord();
        private long lastOffset = -1;

        Page(ReadTicket ticket) {
            this.ticket = ticket;
            this.channel = ticket.wanted().channel().bytes();
        }

        long row(Readable row) {
            give();
            FanoutRecord next = spare;
            spare = last;
            last = event(next, channel, row);
            lastOffset = ArchiveStore.number(row, "offset");
            return lastOffset;
        }

        private void give() {
            if (lastOffset >= 0) {
                ticket.event(lastOffset, last);
            }
        }

        /** There are no more rows, or they are not wanted any more. */
        void end() {
            if (lastOffset >= 0) {
                ticket.lastEvent(lastOffset, last);
            }
            ticket.passed(ticket.wanted().upTo());
        }
    }

    private static Statement page(Statement s, ReadTicket.Wanted w) {
        return s.bind("$1", text(w.channel().bytes()))
                .bind("$2", w.epoch())
                .bind("$3", w.partition())
                .bind("$4", w.after())
                .bind("$5", w.upTo())
                .bind("$6", w.maxEvents() + 1)
                .fetchSize(FETCH);
    }

    private static FanoutRecord event(FanoutRecord record, byte[] channel, Readable row) {
        record.wrap(channel, row.get("payload", byte[].class), ArchiveStore.number(row, "time"));
        header(record, FanoutRecord.HEADER_ID, row.get("id", String.class));
        header(record, FanoutRecord.HEADER_TYPE, row.get("type", String.class));
        header(record, FanoutRecord.HEADER_CONTENT_TYPE, row.get("content_type", String.class));
        return record;
    }

    private static void header(FanoutRecord record, String name, @Nullable String value) {
        if (value != null) {
            record.header(name, value.getBytes(StandardCharsets.UTF_8));
        }
    }

    private void done() {
        synchronized (this) {
            active--;
        }
        next();
    }

    /** How many events of the channel there are in a covered range, counted back from its end, {@code n} at most. */
    Mono<Archive.Newest> newest(String epoch, int partition, byte[] channel, long first, long last, int n) {
        return postgres.run(
                READ_WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement(NEWEST)
                                        .bind("$1", text(channel))
                                        .bind("$2", epoch)
                                        .bind("$3", partition)
                                        .bind("$4", first)
                                        .bind("$5", last)
                                        .bind("$6", n),
                                row -> {
                                    int found = Math.toIntExact(ArchiveStore.number(row, "found"));
                                    return new Archive.Newest(
                                            found, found == 0 ? -1 : ArchiveStore.number(row, "oldest"));
                                })
                        .next());
    }

    /** The offset of the channel's first event from {@code first} on with at least this time stamp; empty if there is none. */
    Mono<Long> since(String epoch, int partition, byte[] channel, long first, long timestampMillis) {
        return postgres.run(
                READ_WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement(SINCE)
                                        .bind("$1", text(channel))
                                        .bind("$2", epoch)
                                        .bind("$3", partition)
                                        .bind("$4", first)
                                        .bind("$5", Archiver.day(timestampMillis))
                                        .bind("$6", timestampMillis),
                                row -> Objects.requireNonNull(row.get(0, Long.class)))
                        .next());
    }

    private static String text(byte[] channel) {
        return new String(channel, StandardCharsets.US_ASCII);
    }

    private void tick() {
        long now = System.nanoTime();
        List<ReadTicket> late = new ArrayList<>();
        synchronized (this) {
            waiting.removeIf(t -> {
                boolean tooLate = now - t.since() > settings.readQueueWait().toNanos();
                if (tooLate) {
                    late.add(t);
                }
                return tooLate || t.isOver();
            });
        }
        late.forEach(t -> refuse(t, "the archive was not free in time"));
    }

    private void refuse(ReadTicket ticket, String why) {
        metrics.archiveRefused.increment();
        ticket.end(ReadTicket.State.UNAVAILABLE, why);
    }

    synchronized int active() {
        return active;
    }

    synchronized int waiting() {
        return waiting.size();
    }

    long bufferedBytes() {
        return room.used();
    }

    @Override
    public void close() {
        List<ReadTicket> refused;
        synchronized (this) {
            closed = true;
            refused = List.copyOf(waiting);
            waiting.clear();
        }
        timer.dispose();
        refused.forEach(t -> t.end(ReadTicket.State.UNAVAILABLE, "the service stops"));
    }
}

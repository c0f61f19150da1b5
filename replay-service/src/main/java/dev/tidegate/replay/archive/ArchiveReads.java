package dev.tidegate.replay.archive;

import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.reads.Room;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * Reads pages of the archive. So many queries at most are under way, and who comes first is served first. Who comes while all of them
 * are at work waits, and as many of those as may share a query do so once one is free ({@link PagesQuery}): nobody waits for others to
 * come. Each has its share of a query's rows, so that one who wants all of a huge channel stands at the end of the queue again for each.
 * Any thread; nothing blocks.
 */
final class ArchiveReads implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ArchiveReads.class);

    /** A query takes milliseconds, and is cut after a second; what takes longer is given up, and Kafka asked if it can help. */
    static final Duration READ_WITHIN = Duration.ofSeconds(5);

    /**
     * Pages that find {@code read-buffers} used up end with their first event, so that others go on beside readers who stand still;
     * at so many times that size nothing more is read before something has been sent.
     */
    static final int ROOM_FULL = 2;

    private static final long TICK_MILLIS = 100;

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
    private final long roomFull;
    private final Disposable timer;

    // Guarded by this, bounded by settings.readQueue and those that queries under way give back.
    private final ArrayDeque<ReadTicket> waiting = new ArrayDeque<>();
    private int active; // queries; guarded by this, bounded by settings.reads
    private boolean closed; // guarded by this
    private final AtomicInteger calls = new AtomicInteger(); // of next(), while one is at work

    ArchiveReads(Postgres postgres, ReplaySettings.Archive settings, ReplayMetrics metrics) {
        this.postgres = postgres;
        this.settings = settings;
        this.metrics = metrics;
        this.room = new Room(settings.readBuffers().toBytes());
        this.roomFull = ROOM_FULL * settings.readBuffers().toBytes();
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
            for (List<ReadTicket> together = poll(); !together.isEmpty(); together = poll()) {
                read(together);
            }
        } while (calls.decrementAndGet() > 0);
    }

    /** Those that the next query is for; none: there is nothing to be done, or nobody to do it. */
    private synchronized List<ReadTicket> poll() {
        List<ReadTicket> together = new ArrayList<>();
        if (active < settings.reads() && room.used() <= roomFull) {
            while (together.size() < settings.readGather()) {
                ReadTicket ticket = waiting.poll();
                if (ticket == null) {
                    break;
                }
                if (!ticket.isOver()) {
                    together.add(ticket);
                }
            }
        }
        active += together.isEmpty() ? 0 : 1;
        return together;
    }

    private void read(List<ReadTicket> together) {
        metrics.archiveQueries.increment();
        PagesQuery query = new PagesQuery(together, metrics);
        Disposable _ = postgres.run(READ_WITHIN, query::run)
                .subscribe(
                        nothing -> {},
                        e -> {
                            log.debug("{} pages could not be read from the archive", together.size(), e);
                            query.fail("the archive cannot be read now: " + e.getMessage());
                            done(List.of(), List.of());
                        },
                        () -> done(query.left(), query.again()));
    }

    /** A query is over: those that it did not come to are the next, and who wants more stands at the end. */
    private void done(List<ReadTicket> left, List<ReadTicket> again) {
        boolean stopped;
        synchronized (this) {
            active--;
            stopped = closed;
            if (!stopped) {
                left.reversed().forEach(waiting::addFirst);
                waiting.addAll(again);
            }
        }
        if (stopped) {
            left.forEach(ArchiveReads::stop);
            again.forEach(ArchiveReads::stop);
        } else {
            next();
        }
    }

    /** How many events of the channel there are in a covered range, counted back from its end, {@code n} at most. */
    Mono<Archive.Newest> newest(String epoch, int partition, byte[] channel, long first, long last, int n) {
        return postgres.run(
                READ_WITHIN,
                c -> ArchiveStore.rows(
                                c.createStatement(NEWEST)
                                        .bind("$1", PagesQuery.text(channel))
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
                                        .bind("$1", PagesQuery.text(channel))
                                        .bind("$2", epoch)
                                        .bind("$3", partition)
                                        .bind("$4", first)
                                        .bind("$5", Archiver.day(timestampMillis))
                                        .bind("$6", timestampMillis),
                                row -> Objects.requireNonNull(row.get(0, Long.class)))
                        .next());
    }

    private void tick() {
        long now = System.nanoTime();
        // Whoever has a part of a page need not wait for room that may be held by later requests of the same call.
        boolean full = room.used() > roomFull;
        List<ReadTicket> late = new ArrayList<>();
        synchronized (this) {
            waiting.removeIf(t -> {
                boolean tooLate = now - t.since() > settings.readQueueWait().toNanos() || (full && t.found() > 0);
                if (tooLate) {
                    late.add(t);
                }
                return tooLate || t.isOver();
            });
        }
        for (ReadTicket t : late) {
            if (t.found() > 0) {
                t.end(ReadTicket.State.CUT, null);
            } else {
                refuse(t, "the archive was not free in time");
            }
        }
        next(); // there may be room again
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
        refused.forEach(ArchiveReads::stop);
    }

    private static void stop(ReadTicket ticket) {
        ticket.end(ReadTicket.State.UNAVAILABLE, "the service stops");
    }
}

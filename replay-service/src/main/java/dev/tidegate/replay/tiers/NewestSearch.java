package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.archive.Archive.Newest;
import dev.tidegate.replay.archive.Coverage;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentReader;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * Finds where the newest {@code n} events of a channel begin: memory and the archive count back, Kafka is read a bounded way back.
 *
 * <pre>
 * LOOKING   -> FOUND     all are behind {@code lower}, or there are no older ones that can be shown
 *           -> COUNTING  the archive covers {@code lower}
 *           -> SCANNING  Kafka has {@code lower}, and was not asked yet
 * COUNTING  -> LOOKING   all of them, or everything down to where the archive begins; or it cannot be asked now
 * SCANNING  -> FOUND     the events found are with the ticket
 *           -> COUNTING  there are not enough, and the archive covers what is before
 *           -> FAILED
 * </pre>
 *
 * For one thread at a time.
 */
final class NewestSearch {
    enum Phase {
        LOOKING,
        COUNTING,
        SCANNING,
        FOUND,
        FAILED
    }

    private static final Newest UNKNOWN = new Newest(-1, -1);

    private final Answers answers;
    private final Replay.Request request;
    private final ChannelKey channel;
    private final TopicLog log;
    private final int partition;
    private final long start; // of the partition in Kafka

    private Phase phase = Phase.LOOKING;
    private long lower; // everything wanted after this is counted
    private int missing; // events still to be found at or before `lower`
    private boolean archived;
    private boolean counted; // the archive was asked at least once
    private @Nullable CompletableFuture<@Nullable Newest> counting;
    private long countedFrom;
    private @Nullable ReadTicket ticket;
    private long scannedFrom;
    private @Nullable Cursor searchedFrom;

    /** A search for {@code n} events. */
    NewestSearch(
            Answers answers, Replay.Request request, ChannelKey channel, TopicLog log, int n, RecentReader reader) {
        this.answers = answers;
        this.request = request;
        this.channel = channel;
        this.log = log;
        this.partition = request.partition();
        this.start = log.start(partition);
        this.archived = answers.archive.keeps(request.channel());
        this.lower = request.upTo();
        this.missing = n;
        if (n > 0 && answers.keptInMemory(request.channel())) {
            missing = n - reader.countBack(channel, partition, request.upTo(), n);
            lower = Math.min(reader.coveredAfter(), request.upTo());
        }
        // What retention has removed is not shown, though memory may still have it; unless the archive keeps it.
        if (!archived || shortOf(coverage())) {
            lower = Math.max(lower, start - 1);
        }
    }

    private boolean shortOf(@Nullable Coverage c) {
        return c != null
                && lower + 1 < start
                && c.coveredTo(partition, request.channel().namespace(), lower + 1) <= lower + 1;
    }

    private @Nullable Coverage coverage() {
        return archived ? answers.archive.coverage(log.topic().epoch()) : null;
    }

    /**
     * Goes on as far as it can.
     *
     * @param maxBytes about most bytes of frames, where events are found by reading
     */
    Phase advance(long maxBytes) {
        boolean goesOn = true;
        while (goesOn) {
            goesOn = switch (phase) {
                case LOOKING -> look(maxBytes);
                case COUNTING -> countingDone();
                case SCANNING -> scanningDone();
                case FOUND, FAILED -> false;
            };
        }
        return phase;
    }

    private boolean look(long maxBytes) {
        if (missing <= 0) {
            phase = Phase.FOUND;
            return false;
        }
        if (beginCounting(lower)) {
            return true;
        }
        if (lower >= start && ticket == null) {
            beginScanning(maxBytes);
            return true;
        }
        fewer();
        return false;
    }

    /** All that can be shown; what only the archive has cannot be told while PostgreSQL is away. */
    private void fewer() {
        long from = ticket == null ? lower : scannedFrom - 1;
        if (searchedFrom == null && from >= 0 && answers.archive.keeps(request.channel()) && coverage() == null) {
            searchedFrom = log.cursor(partition, from);
        }
        phase = Phase.FOUND;
    }

    private boolean beginCounting(long last) {
        Coverage c = coverage();
        long first = c == null
                ? last + 1
                : c.coveredFrom(partition, request.channel().namespace(), last);
        if (first > last) {
            return false;
        }
        counted = true;
        countedFrom = first;
        lower = last;
        counting = answers.archive
                .newest(log.topic().epoch(), partition, channel, first, last, missing)
                .toFuture();
        phase = Phase.COUNTING;
        return true;
    }

    private boolean countingDone() {
        CompletableFuture<@Nullable Newest> c = counting;
        if (c == null || !c.isDone()) {
            return false;
        }
        counting = null;
        Newest newest = c.isCompletedExceptionally() ? UNKNOWN : Objects.requireNonNullElse(c.getNow(UNKNOWN), UNKNOWN);
        if (newest.found() < 0) {
            archived = false; // PostgreSQL is away: what Kafka has
        } else if (newest.found() >= missing) {
            missing = 0;
            lower = newest.oldest() - 1;
        } else {
            missing -= newest.found();
            lower = countedFrom - 1;
        }
        if (ticket != null) {
            return afterScanAndCount(newest);
        }
        phase = Phase.LOOKING;
        return true;
    }

    /** Kafka found too few, and the archive was asked for older ones. */
    private boolean afterScanAndCount(Newest newest) {
        if (newest.found() > 0 && ticket != null) {
            ticket.cancel(); // all are read in order from the oldest on
            ticket = null;
        }
        if (newest.found() >= 0) {
            searchedFrom = missing > 0 && countedFrom > start ? log.cursor(partition, countedFrom - 1) : null;
        }
        fewer();
        return false;
    }

    private void beginScanning(long maxBytes) {
        scannedFrom = Math.max(start, lower + 1 - answers.settings.scan().lastRecords());
        if (scannedFrom > start) {
            searchedFrom = log.cursor(partition, scannedFrom - 1);
        }
        if (scannedFrom > lower) {
            fewer();
            return;
        }
        ticket = answers.scans.submit(
                log,
                new ReadTicket.Wanted(
                        log.topic().epoch(),
                        channel,
                        partition,
                        scannedFrom - 1,
                        scannedFrom - 1,
                        lower,
                        true,
                        missing,
                        maxBytes));
        phase = Phase.SCANNING;
    }

    private boolean scanningDone() {
        ReadTicket t = ticket();
        ReadTicket.State state = t.state();
        if (state == ReadTicket.State.RUNNING) {
            return false;
        }
        if (state != ReadTicket.State.REACHED) {
            phase = Phase.FAILED;
            return false;
        }
        if (t.foundAll()) {
            searchedFrom = null;
            phase = Phase.FOUND;
            return false;
        }
        missing -= t.found();
        if (beginCounting(scannedFrom - 1)) {
            return true;
        }
        fewer();
        return false;
    }

    /** Completes when it is worth to {@link #advance} again; never fails. */
    Mono<Void> signal() {
        CompletableFuture<@Nullable Newest> c = counting;
        return c != null
                ? Mono.fromFuture(c, true).onErrorComplete().then()
                : ticket == null ? Mono.empty() : ticket.changed();
    }

    /** With {@link Phase#FOUND}: the events found in Kafka, to be taken first; null: read from {@link #after} on. */
    @Nullable
    ReadTicket found() {
        return ticket;
    }

    /** The scan that has failed. */
    ReadTicket ticket() {
        ReadTicket t = ticket;
        if (t == null) {
            throw new IllegalStateException("no scan");
        }
        return t;
    }

    /** Where the events begin: they are those after this. */
    long after() {
        return ticket == null ? lower : scannedFrom - 1;
    }

    /** Fewer were found than wanted, and the search stopped at a bound: older ones may stand up to here. */
    @Nullable
    Cursor searchedFrom() {
        return searchedFrom;
    }

    /** Whether the archive was asked. */
    boolean askedArchive() {
        return counted;
    }

    void cancel() {
        if (counting != null) {
            boolean _ = counting.cancel(false);
        }
        if (ticket != null) {
            ticket.cancel();
        }
    }
}

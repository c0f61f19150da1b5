package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.kafka.ScanTicket;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentReader;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * The answer to one request, made step by step as its reader takes it.
 *
 * <pre>
 * ARRIVED   -> READING   the service has read up to the request's {@code upTo}; for "last n": memory has all n
 *           -> SCANNING  "last n", and memory has fewer
 *           -> ENDED     refused: cursor beyond the log, of another partition, or the wait is over
 * READING   -> READING   events from memory
 *           -> SCANNING  memory does not reach back far enough
 *           -> ENDED     complete, or a bound of the page
 * SCANNING  -> READING   read up to where memory takes over; or Kafka no longer has the range: look where it starts now
 *           -> ENDED     a bound of the page or the scan, or no scan to be had
 * </pre>
 *
 * <p>Two places are kept apart: {@code scanned}, up to which everything of the channel has been looked at, and {@code position}, where
 * the client stands: the offset of the last event sent, or of the gap told, or its own cursor. An event's {@code prev} is the client's
 * position, or the channel's event before if memory knows that to be smaller.
 *
 * <p><b>Gaps.</b> One is told only if the log really begins behind the cursor's next offset <em>and</em> memory does not prove that the channel
 * had nothing there. What retention has removed is not served from memory, even while memory still has it.
 *
 * <p>For one thread at a time.
 */
public final class Answer {
    /** What a step came to. */
    public enum Step {
        /** The buffer is full: send it, then go on. */
        FULL,
        /** A gap comes next: see {@link #takeGap}; then go on. */
        GAP,
        /** Nothing to be had now: go on when {@link #signal} completes. */
        WAIT,
        /** The answer has ended: {@link #end}. */
        END
    }

    private enum Phase {
        ARRIVED,
        READING,
        SCANNING,
        ENDED
    }

    /** Events looked up in memory at a time; the positions of a page are scratch memory of the call. */
    private static final int PAGE = 256;

    /** How often a range that Kafka has lost meanwhile is looked for again. */
    private static final int MAX_LOST = 3;

    private static final Duration LOOK_WITHIN = Duration.ofSeconds(1);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

    private final Answers answers;
    private final Replay.Request request;
    private final int index;
    private final long deadline;
    private final Scratch scratch;
    private final ChannelKey channel;
    private final boolean inMemory;
    private final long maxBytes;

    private Phase phase = Phase.ARRIVED;
    private @Nullable TopicLog log;
    private Mono<Void> signal = Mono.empty();
    private @Nullable CompletableFuture<Long> logEnd; // asked of Kafka if the cursor lies ahead of what was read
    private long upTo;
    private long position;
    private long scanned;
    private int pageEvents;
    private int events;
    private long bytes;
    private int lost;
    private @Nullable Gap gap;
    private @Nullable Gap gapToTell;
    private @Nullable ScanTicket ticket;
    private boolean kafka;
    private @Nullable Cursor searchedFrom;
    private Replay.@Nullable End end;

    Answer(Answers answers, Replay.Request request, int index, long deadline, Scratch scratch) {
        this.answers = answers;
        this.request = request;
        this.index = index;
        this.deadline = deadline;
        this.scratch = scratch;
        this.channel = ChannelKey.of(request.channel());
        this.inMemory = answers.keptInMemory(request.channel());
        this.pageEvents = Math.min(request.limit(), answers.settings.page().maxEvents());
        this.maxBytes = answers.settings.page().maxBytes().toBytes();
        this.upTo = request.upTo();
    }

    /**
     * Does what can be done before it is the request's turn: asks for a scan if one is needed, so that the requests of a call
     * share it.
     */
    public void prepare() {
        if (phase == Phase.ARRIVED && arrive() && phase == Phase.READING) {
            TopicLog l = log();
            RecentReader reader = scratch.readerOf(l.recent());
            boolean uncovered = !inMemory
                    || reader.find(channel, request.partition(), scanned, upTo, 1) == RecentReader.Outcome.NOT_COVERED;
            if (scanned < upTo && uncovered && scanned + 1 >= l.start(request.partition())) {
                scan(l, inMemory ? reader.coveredAfter() : upTo);
            }
        }
    }

    /** Appends frames, a line break behind each, until the buffer holds {@code full} bytes or something else is to be done. */
    public Step advance(FrameBuffer out, int full) {
        while (true) {
            if (gapToTell != null) {
                return Step.GAP;
            }
            if (out.size() >= full) {
                return Step.FULL;
            }
            boolean goesOn = switch (phase) {
                case ARRIVED -> arrive();
                case READING -> read(out, full);
                case SCANNING -> takeFromScan(out);
                case ENDED -> true;
            };
            if (phase == Phase.ENDED && gapToTell == null) {
                return Step.END;
            }
            if (!goesOn) {
                return Step.WAIT;
            }
        }
    }

    /** The gap to tell before what follows. */
    public Gap takeGap() {
        Gap g = gapToTell;
        if (g == null) {
            throw new IllegalStateException("no gap to tell");
        }
        gapToTell = null;
        return g;
    }

    /** Completes when there is more to be had, on a thread that may be kept busy; at the latest when the request must be decided. */
    public Mono<Void> signal() {
        return signal;
    }

    /** How the answer ended. */
    public Replay.End end() {
        Replay.End e = end;
        if (e == null) {
            throw new IllegalStateException("not ended");
        }
        return e;
    }

    /** With "last n" of which fewer were found, and the search had to stop at a bound: older ones may stand up to here. */
    public @Nullable Cursor searchedFrom() {
        return searchedFrom;
    }

    /**
     * After an answer that ended at a bound: goes on with the next page, of at most so many events, from where the client stands. Unlike
     * a new request this keeps the client's position apart from how far was scanned.
     */
    public void nextPage(int limit) {
        Replay.End ended = end();
        if (ended.complete() || ended.error() != null) {
            throw new IllegalStateException("nothing follows");
        }
        pageEvents = Math.min(limit, answers.settings.page().maxEvents());
        events = 0;
        bytes = 0;
        gap = null;
        end = null;
        phase = Phase.READING;
    }

    /** Events of this page so far. */
    public int events() {
        return events;
    }

    /** Something went wrong that should not: ends the answer. */
    public void crash() {
        gapToTell = null;
        fail(ErrorCode.INTERNAL, "this is our fault; it has been logged");
        cancel();
    }

    /** The client is gone, or no longer interested. */
    public void cancel() {
        ScanTicket t = ticket;
        if (t != null) {
            t.cancel();
        }
        if (phase != Phase.ENDED) {
            fail(ErrorCode.UNAVAILABLE, "cancelled");
        }
    }

    // ---- ARRIVED

    /** Whether something changed; false: wait for the signal. */
    private boolean arrive() {
        TopicLog now = answers.tail.current();
        if (now == null || now.retired()) {
            return await(Mono.delay(LOOK_AGAIN).then(), "the service has not read the fan-out topic yet");
        }
        String epoch = now.topic().epoch();
        if (!request.epoch().equals(epoch)) {
            return await(
                    Mono.delay(LOOK_AGAIN).then(),
                    "upTo: epoch " + request.epoch() + ", but this service reads the topic of epoch " + epoch);
        }
        int partition = request.partition();
        if (partition != now.topic().partitionOf(channel.bytes())) {
            return fail(
                    ErrorCode.BAD_REQUEST,
                    "upTo: partition " + partition + " (expected: "
                            + now.topic().partitionOf(channel.bytes()) + ", where " + request.channel() + " lives)");
        }
        Cursor after = request.after();
        boolean comparable = after != null && after.epoch().equals(epoch);
        if (after != null && comparable && after.partition() != partition) {
            return fail(
                    ErrorCode.CURSOR_INVALID,
                    "after: " + after + " (expected: a cursor of partition " + partition + ", where "
                            + request.channel() + " lives)");
        }
        long need = after != null && comparable ? Math.max(upTo, after.offset()) : upTo;
        if (now.position(partition) < need) {
            return behind(now, partition, after != null && comparable ? after : null, need);
        }
        log = now;
        begin(now, after, comparable);
        return true;
    }

    private boolean behind(TopicLog now, int partition, @Nullable Cursor after, long need) {
        if (after != null && after.offset() > now.position(partition)) {
            CompletableFuture<Long> asked = logEnd;
            if (asked == null) {
                asked = answers.watch.endOf(now.topic(), partition);
                logEnd = asked;
            }
            if (!asked.isDone()) {
                return await(
                        Mono.fromFuture(asked, true).timeout(LOOK_WITHIN).then(),
                        "Kafka cannot be asked whether " + after + " is in the log");
            }
            long end = asked.exceptionally(e -> Long.MAX_VALUE).getNow(Long.MAX_VALUE);
            if (after.offset() >= end) {
                return fail(
                        ErrorCode.CURSOR_INVALID,
                        "after: " + after + " lies beyond the end of the log (expected: at most "
                                + now.cursor(partition, end - 1) + ")");
            }
        }
        return await(
                now.reached(partition, need),
                "the service has read up to " + now.position(partition) + ", not yet to " + need);
    }

    private boolean await(Mono<Void> what, String ifTooLate) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            return fail(ErrorCode.UNAVAILABLE, ifTooLate);
        }
        // Whatever comes of it, time included, is judged by looking again.
        signal = what.timeout(Duration.ofNanos(left)).onErrorComplete();
        return false;
    }

    private void begin(TopicLog l, @Nullable Cursor after, boolean comparable) {
        int partition = request.partition();
        phase = Phase.READING;
        if (after == null) {
            beginLast(l, Math.min(request.last(), pageEvents));
        } else if (comparable) {
            position = after.offset();
            scanned = position;
        } else {
            tellGap(l, after, l.start(partition) - 1, Gap.Reason.EPOCH);
        }
    }

    private void beginLast(TopicLog l, int n) {
        int partition = request.partition();
        int found = 0;
        long known = upTo; // memory has everything of the channel after this
        searchedFrom = null;
        if (n == 0) {
            position = upTo;
            scanned = upTo;
            return;
        }
        if (inMemory) {
            RecentReader reader = scratch.readerOf(l.recent());
            found = reader.countBack(channel, partition, upTo, n);
            known = Math.min(reader.coveredAfter(), upTo);
        }
        long start = l.start(partition);
        known = Math.max(known, start - 1); // what retention has removed is not shown, though memory may still have it
        position = known;
        scanned = known;
        if (found < n && known >= start) {
            long from = Math.max(start, known + 1 - answers.settings.scan().lastRecords());
            if (from > start) {
                searchedFrom = l.cursor(partition, from - 1);
            }
            if (from <= known) {
                position = from - 1;
                submit(l, from - 1, known, true, n - found);
            }
        }
    }

    // ---- READING

    private boolean read(FrameBuffer out, int full) {
        TopicLog l = log();
        int partition = request.partition();
        if (scanned >= upTo) {
            return finish(true);
        }
        if (l.retired()) {
            return fail(ErrorCode.UNAVAILABLE, "the fan-out topic was recreated meanwhile");
        }
        RecentReader reader = scratch.readerOf(l.recent());
        RecentReader.Outcome outcome = inMemory
                ? reader.find(channel, partition, scanned, upTo, Math.min(PAGE, pageEvents - events))
                : RecentReader.Outcome.NOT_COVERED;
        return switch (outcome) {
            case NOTHING -> {
                scanned = upTo;
                yield finish(true);
            }
            case EVENTS -> {
                long start = l.start(partition);
                if (scanned + 1 < start && reader.load(0) && reader.offset() < start) {
                    yield expired(l, start);
                }
                yield send(out, full, l, reader);
            }
            case NOT_COVERED -> {
                long start = l.start(partition);
                if (scanned + 1 < start) {
                    yield expired(l, start);
                }
                scan(l, inMemory ? reader.coveredAfter() : upTo);
                yield true;
            }
        };
    }

    private boolean send(FrameBuffer out, int full, TopicLog l, RecentReader reader) {
        String epoch = l.topic().epoch();
        int n = reader.count();
        for (int i = 0; i < n; i++) {
            if (!reader.load(i)) {
                return true; // overwritten meanwhile: look again from here
            }
            int before = out.size();
            // Of two true offsets the smaller: the cursor we were asked with may be further on than what its client was
            // told.
            long prev = Math.min(position, reader.since());
            EventFrames.encode(out, epoch, request.partition(), reader.offset(), prev, reader.event(), true);
            out.raw('\n');
            position = reader.offset();
            scanned = position;
            events++;
            bytes += out.size() - before;
            boolean last = i == n - 1 && !reader.more();
            if (last) {
                scanned = upTo;
                return finish(true);
            }
            if (events >= pageEvents || bytes >= maxBytes) {
                return finish(false);
            }
            if (out.size() >= full) {
                return true;
            }
        }
        return true;
    }

    private boolean expired(TopicLog l, long start) {
        if (events > 0 || gap != null) {
            return finish(false); // the next page begins with the gap
        }
        tellGap(l, l.cursor(request.partition(), position), start - 1, Gap.Reason.EXPIRED);
        return true;
    }

    private void tellGap(TopicLog l, Cursor after, long to, Gap.Reason reason) {
        Gap told = new Gap(after, l.cursor(request.partition(), to), reason);
        gap = told;
        gapToTell = told;
        position = to;
        scanned = to;
        answers.metrics.gaps(reason.wire()).increment();
    }

    // ---- SCANNING

    private void scan(TopicLog l, long coveredAfter) {
        long to = Math.min(coveredAfter, upTo);
        submit(l, scanned, to > scanned ? to : upTo, false, pageEvents - events);
    }

    private void submit(TopicLog l, long after, long to, boolean newest, int most) {
        kafka = true;
        phase = Phase.SCANNING;
        ticket = answers.scans.submit(new ScanTicket.Wanted(
                l, channel, request.partition(), after, position, to, newest, most, maxBytes - bytes));
    }

    private boolean takeFromScan(FrameBuffer out) {
        ScanTicket t = ticket;
        if (t == null) {
            throw new IllegalStateException("no ticket");
        }
        ScanTicket.State state = t.state(); // before taking: what comes later is taken later
        int before = out.size();
        events += t.take(out);
        bytes += out.size() - before;
        switch (state) {
            case RUNNING -> {
                signal = t.changed();
                return out.size() > before;
            }
            case UNAVAILABLE -> {
                return fail(ErrorCode.UNAVAILABLE, t.why());
            }
            case REACHED, CUT, LOST -> {
                position = t.previous();
                scanned = t.position();
                ticket = null;
            }
        }
        if (state == ScanTicket.State.LOST) {
            return lost();
        }
        phase = Phase.READING;
        if (t.wantsNewest()) {
            return newestFound(t, state);
        }
        if (state == ScanTicket.State.CUT || events >= pageEvents || bytes >= maxBytes) {
            return finish(scanned >= upTo);
        }
        return true;
    }

    private boolean newestFound(ScanTicket t, ScanTicket.State state) {
        if (state == ScanTicket.State.CUT) {
            return fail(ErrorCode.UNAVAILABLE, "last: searching back in Kafka took too long");
        }
        if (t.foundAll()) {
            searchedFrom = null;
        }
        return true;
    }

    /** What was to be read has been removed meanwhile. */
    private boolean lost() {
        if (log().retired() || ++lost > MAX_LOST) {
            return fail(ErrorCode.UNAVAILABLE, "the fan-out topic changes faster than it can be read");
        }
        phase = events == 0 && gap == null && request.after() == null ? Phase.ARRIVED : Phase.READING;
        signal = Mono.fromFuture(answers.watch.refresh())
                .timeout(LOOK_WITHIN)
                .onErrorComplete()
                .then();
        return false;
    }

    // ---- ENDED

    private boolean finish(boolean complete) {
        TopicLog l = log();
        long at = complete ? Math.max(scanned, upTo) : scanned;
        Replay.Tier tier = kafka ? Replay.Tier.KAFKA : Replay.Tier.MEMORY;
        end = new Replay.End(index, l.cursor(request.partition(), at), complete, gap, tier, null, null);
        return ended(tier.wire());
    }

    private boolean fail(ErrorCode code, String message) {
        TopicLog l = log;
        Cursor after = request.after();
        Cursor at = l != null
                ? l.cursor(request.partition(), scanned)
                : after != null ? after : request.target().at(Cursor.BEFORE_FIRST);
        end = new Replay.End(index, at, false, gap, null, code, message);
        return ended(code.wire());
    }

    private boolean ended(String outcome) {
        phase = Phase.ENDED;
        answers.metrics.answers(outcome).increment();
        answers.metrics.events.add(events);
        answers.metrics.bytes.add(bytes);
        return true;
    }

    private TopicLog log() {
        TopicLog l = log;
        if (l == null) {
            throw new IllegalStateException("not arrived");
        }
        return l;
    }
}

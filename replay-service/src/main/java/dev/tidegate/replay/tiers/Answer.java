package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentReader;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * The answer to one request, made step by step as its reader takes it.
 *
 * <pre>
 * ARRIVED   -> READING   the service has read up to the request's {@code upTo}
 *           -> SEARCHING "last n": the same
 *           -> ENDED     refused: cursor beyond the log, of another partition, or the wait is over
 * SEARCHING -> READING   it is known where the newest n begin
 *           -> FETCHING  they were found by reading Kafka
 * READING   -> READING   events from memory
 *           -> FETCHING  memory does not reach back far enough: the archive or Kafka has what comes next ({@link Route})
 *           -> ENDED     complete, a bound of the page, or only the archive has what comes next and cannot be asked
 * FETCHING  -> READING   read up to where another tier takes over; the archive cannot be read: see what Kafka has; or Kafka no
 *                        longer has the range: look where it starts now
 *           -> ENDED     a bound of the page or the read, or none to be had
 * </pre>
 *
 * <p>Two places are kept apart: {@code scanned}, up to which everything of the channel has been looked at, and {@code position}, where
 * the client stands: the offset of the last event sent, or of the gap told, or its own cursor. An event's {@code prev} is the client's
 * position, or the channel's event before if memory knows that to be smaller.
 *
 * <p><b>Gaps.</b> One is told only if neither Kafka nor the archive has the cursor's next offset <em>and</em> memory does not prove that the
 * channel had nothing there. What retention has removed is not served from memory, even while memory still has it, unless it is the
 * archive's retention that counts. While it is not known what the archive has, no gap is told that it might fill.
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
        SEARCHING,
        READING,
        FETCHING,
        ENDED
    }

    /** Events looked up in memory at a time; the positions of a page are scratch memory of the call. */
    private static final int PAGE = 256;

    /** How often a range that Kafka has lost meanwhile is looked for again. */
    private static final int MAX_LOST = 3;

    private final Answers answers;
    private final Replay.Request request;
    private final int index;
    private final Scratch scratch;
    private final ChannelKey channel;
    private final boolean inMemory;
    private final LowerTiers lower;
    private final long maxBytes;
    private final Arrival arrival;

    private Phase phase = Phase.ARRIVED;
    private @Nullable TopicLog log;
    private Mono<Void> signal = Mono.empty();
    private long upTo;
    private long position;
    private long scanned;
    private int pageEvents;
    private int events;
    private long bytes;
    private int lost;
    private @Nullable Gap gap;
    private @Nullable Gap gapToTell;
    private @Nullable NewestSearch search;
    private Replay.@Nullable End end;

    Answer(Answers answers, Replay.Request request, int index, long deadline, Scratch scratch) {
        this.answers = answers;
        this.request = request;
        this.index = index;
        this.scratch = scratch;
        this.channel = ChannelKey.of(request.channel());
        this.inMemory = answers.keptInMemory(request.channel());
        this.lower = new LowerTiers(answers, request, channel);
        this.pageEvents = Math.min(request.limit(), answers.settings.page().maxEvents());
        this.maxBytes = answers.settings.page().maxBytes().toBytes();
        this.upTo = request.upTo();
        this.arrival = new Arrival(answers, request, channel, deadline);
    }

    /**
     * Does what can be done before it is the request's turn: asks for a read if one is needed, so that the requests of a call
     * share it, or need not wait for one another.
     */
    public void prepare() {
        if (phase == Phase.ARRIVED && arrive() && phase == Phase.READING && scanned < upTo) {
            TopicLog l = log();
            RecentReader reader = scratch.readerOf(l.recent());
            boolean uncovered = !inMemory
                    || reader.find(channel, request.partition(), scanned, upTo, 1) == RecentReader.Outcome.NOT_COVERED;
            Route route = uncovered ? route(l, reader) : new Route.Unknown();
            if (route instanceof Route.Archive || route instanceof Route.Kafka) {
                boolean _ = follow(l, route);
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
                case SEARCHING -> searchOn();
                case READING -> read(out, full);
                case FETCHING -> take(out);
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
        return search == null ? null : search.searchedFrom();
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
        lower.nextPage();
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
        lower.cancel();
        if (search != null) {
            search.cancel();
        }
        if (phase != Phase.ENDED) {
            fail(ErrorCode.UNAVAILABLE, "cancelled");
        }
    }

    // ---- ARRIVED

    /** Whether something changed; false: wait for the signal. */
    private boolean arrive() {
        return switch (arrival.look()) {
            case Arrival.State.Wait(Mono<Void> until) -> {
                signal = until;
                yield false;
            }
            case Arrival.State.Refused(ErrorCode code, String why) -> fail(code, why);
            case Arrival.State.Ready(TopicLog l, Cursor after, boolean comparable) -> {
                log = l;
                begin(l, after, comparable);
                yield true;
            }
        };
    }

    private void begin(TopicLog l, @Nullable Cursor after, boolean comparable) {
        phase = Phase.READING;
        if (after == null) {
            int n = Math.min(request.last(), pageEvents);
            search = new NewestSearch(answers, request, channel, l, n, scratch.readerOf(l.recent()));
            phase = Phase.SEARCHING;
        } else if (comparable) {
            position = after.offset();
            scanned = position;
        } else {
            tellGap(l, after, l.start(request.partition()) - 1, Gap.Reason.EPOCH);
        }
    }

    // ---- SEARCHING

    private boolean searchOn() {
        NewestSearch s = search;
        if (s == null) {
            throw new IllegalStateException("no search");
        }
        NewestSearch.Phase now = s.advance(maxBytes);
        if (s.askedArchive()) {
            lower.used(Replay.Tier.ARCHIVE);
        }
        switch (now) {
            case LOOKING, COUNTING, SCANNING -> {
                signal = s.signal();
                return false;
            }
            case FAILED -> {
                ReadTicket t = s.ticket();
                return switch (t.state()) {
                    case LOST -> lost();
                    case UNAVAILABLE -> fail(ErrorCode.UNAVAILABLE, t.why());
                    default -> fail(ErrorCode.UNAVAILABLE, "last: searching back in Kafka took too long");
                };
            }
            case FOUND -> {
                position = s.after();
                scanned = position;
                ReadTicket found = s.found();
                if (found != null) {
                    lower.fetched(found);
                }
                phase = found == null ? Phase.READING : Phase.FETCHING;
            }
        }
        return true;
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
            case EVENTS -> isGone(l, reader) ? follow(l, route(l, reader)) : send(out, full, l, reader);
            case NOT_COVERED -> follow(l, route(l, reader));
        };
    }

    /** Whether retention has removed the first event that memory has. */
    private boolean isGone(TopicLog l, RecentReader reader) {
        return scanned + 1 < l.start(request.partition())
                && reader.load(0)
                && lower.hasRemoved(l, scanned, reader.offset());
    }

    /** Who has what comes next, after memory was asked by {@code reader}. */
    private Route route(TopicLog l, RecentReader reader) {
        long to = inMemory ? Math.min(reader.coveredAfter(), upTo) : upTo;
        return lower.next(l, scanned, to > scanned ? to : upTo);
    }

    private boolean follow(TopicLog l, Route route) {
        switch (route) {
            case Route.Archive(long to) -> {
                lower.fetchArchive(wanted(l, to));
                phase = Phase.FETCHING;
            }
            case Route.Kafka(long to) -> {
                lower.fetchKafka(l, wanted(l, to));
                phase = Phase.FETCHING;
            }
            case Route.Gone(long to) -> {
                if (events > 0 || gap != null) {
                    return finish(false); // the next page begins with the gap
                }
                tellGap(l, l.cursor(request.partition(), position), to, Gap.Reason.EXPIRED);
            }
            case Route.Unknown _ -> {
                return (events > 0 || gap != null)
                        ? finish(false)
                        : fail(
                                ErrorCode.UNAVAILABLE,
                                "what follows " + l.cursor(request.partition(), scanned)
                                        + " may be in the archive, which cannot be asked now");
            }
        }
        return true;
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

    private void tellGap(TopicLog l, Cursor after, long to, Gap.Reason reason) {
        Gap told = new Gap(after, l.cursor(request.partition(), to), reason);
        gap = told;
        gapToTell = told;
        position = to;
        scanned = to;
        answers.metrics.gaps(reason.wire()).increment();
    }

    // ---- FETCHING

    private ReadTicket.Wanted wanted(TopicLog l, long to) {
        return lower.wanted(l, scanned, position, to, pageEvents - events, maxBytes - bytes);
    }

    private boolean take(FrameBuffer out) {
        ReadTicket t = lower.ticket();
        ReadTicket.State state = t.state(); // before taking: what comes later is taken later
        int before = out.size();
        events += t.take(out);
        bytes += out.size() - before;
        if (state == ReadTicket.State.RUNNING) {
            signal = t.changed();
            return out.size() > before;
        }
        boolean failed = state == ReadTicket.State.UNAVAILABLE;
        if (failed && !lower.isFromArchive()) {
            return fail(ErrorCode.UNAVAILABLE, t.why());
        }
        position = t.previous();
        scanned = t.position();
        lower.over(failed);
        if (state == ReadTicket.State.LOST) {
            return lost();
        }
        phase = Phase.READING;
        boolean cut = state == ReadTicket.State.CUT && !t.wantsNewest();
        if (cut || events >= pageEvents || bytes >= maxBytes) {
            return finish(scanned >= upTo || nothingFollows());
        }
        return true;
    }

    /** Whether memory knows that the channel has no more: then a full page is complete. */
    private boolean nothingFollows() {
        return inMemory
                && scratch.readerOf(log().recent()).find(channel, request.partition(), scanned, upTo, 1)
                        == RecentReader.Outcome.NOTHING;
    }

    /** What was to be read has been removed meanwhile. */
    private boolean lost() {
        if (log().retired() || ++lost > MAX_LOST) {
            return fail(ErrorCode.UNAVAILABLE, "the fan-out topic changes faster than it can be read");
        }
        boolean searching = phase == Phase.SEARCHING;
        boolean again = events == 0 && gap == null && request.after() == null;
        phase = searching || again ? Phase.ARRIVED : Phase.READING;
        signal = Mono.fromFuture(answers.watch.refresh())
                .timeout(Arrival.LOOK_WITHIN)
                .onErrorComplete()
                .then();
        return false;
    }

    // ---- ENDED

    private boolean finish(boolean complete) {
        TopicLog l = log();
        long at = complete ? Math.max(scanned, upTo) : scanned;
        Replay.Tier tier = lower.deepest();
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

package dev.tidegate.gateway.resume;

import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.protocol.ServerFrames.Recovery;
import io.netty.util.concurrent.EventExecutor;
import java.util.List;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The splice of what a subscription missed into what is live: buffer, fetch, catch up, splice. One object per
 * resuming subscription, gone once it is live; the same path serves a client that comes back, one that asks for the last
 * n events, and a slow one that has drained.
 *
 * <pre>
 * BUFFERING    -> FETCHING     {@link #start}: the position after the client's own is known
 *              -> FAILED       the cursor lies beyond the log: the tail did not reach it before the deadline
 *              -> LIVE         the tail has reached the client's cursor: nothing was missed; or a held merge has no past;
 *                              or the cursor's partition was left for one that has had nothing yet, which is a gap
 * FETCHING     -> CATCHING_UP  first page, more to come
 *              -> LIVE         first page, complete
 *              -> WAITING      no answer, or the service cannot: told to the client as "pending"
 *              -> FAILED       the service refuses this request for good
 * CATCHING_UP  -> CATCHING_UP  next page; or the buffer had overflowed and the target moves on
 *              -> LIVE         complete
 *              -> WAITING      as above
 * WAITING      -> FETCHING     after a back-off with jitter
 * any          -> CANCELLED    unsubscribed, connection closed, topic recreated
 * </pre>
 *
 * <p>Loop-confined: every method is called on the connection's event loop; pages come from the replay client's thread by a
 * task. {@link #onTick} drives the deadlines, each of which names the state it was missed in.
 */
public final class ReplayMerge {
    private static final Logger LOG = LoggerFactory.getLogger(ReplayMerge.class);

    /**
     * About how many bytes a page is to have: half of what a connection may have waiting before it counts as slow, so a crowd
     * that is caught up at once costs no more than one that is slow. How many events that is, the page before tells.
     */
    static final int PAGE_BYTES = 64 * 1024;

    /** Most events of the first page, whose size nobody knows. */
    static final int FIRST_PAGE_EVENTS = 64;

    /** Where a merge stands. */
    public enum State {
        BUFFERING,
        FETCHING,
        CATCHING_UP,
        WAITING,
        LIVE,
        FAILED,
        CANCELLED
    }

    /** What a merge needs of its subscription. Loop-confined. */
    public interface Target {
        ChannelName channel();

        /** The offset of the last record of the channel's partition the tailer has passed, as a cursor of this topic. */
        Cursor tailPosition();

        /** Where a position in a partition that the channel has left goes on, after a gap; null if it never lived there. */
        @Nullable
        Cursor movedTo(Cursor left);

        /** Whether the client takes more at the moment. */
        boolean writable();

        /** Whether the gateway's own tail is moving, so that a cursor it has not reached can be judged. */
        boolean tailIsMoving();

        /** How the recovery goes on; called once, before anything else is sent. {@code replayed}: -1 if not known. */
        void begun(Cursor splice, Recovery recovery, long replayed);

        /**
         * Where a client that named no position begins: it was looked up for it.
         *
         * @param tell whether the client must be told, since what follows begins there
         */
        void starts(Cursor position, boolean tell);

        void gap(Gap gap);

        /** What was missed, in order; not empty. */
        void replayed(List<Replayed> events);

        /** The client now has everything up to here, and more follows. */
        void covered(Cursor position);

        /** Events of a live segment from this one on. */
        void live(LoopBatch segment, int fromEvent);

        /** The client now has everything up to here; live events follow. */
        void spliced(Cursor position);

        /** The subscription ends; {@code told}: the client has been told that it began. */
        void failed(ErrorCode code, String message, boolean told);

        /** The merge sent something or changed state: the target flushes. */
        void progressed();
    }

    /**
     * Bounds and waits.
     *
     * @param pageEvents most events asked for in one fetch
     * @param bufferBytes live bytes that all resuming subscriptions of one connection may hold
     * @param answerNanos without an answer for so long the client is told "pending"
     * @param progressNanos without an answer for so long the fetch is given up and made again
     * @param cursorNanos how long a cursor ahead of the tail is waited for
     * @param retryNanos first back-off, doubled up to 16 times, with jitter of a half
     */
    public record Limits(
            int pageEvents, int bufferBytes, long answerNanos, long progressNanos, long cursorNanos, long retryNanos) {
        /** The shipped bounds. */
        public static final Limits DEFAULT =
                new Limits(128, 1 << 20, 2_000_000_000L, 30_000_000_000L, 2_000_000_000L, 250_000_000L);
    }

    /** What the merges of one connection share: where they fetch, their loop, their bounds, and the budget of bytes. */
    public static final class Connection {
        private final ReplaySource source;
        private final EventExecutor loop;
        private final Limits limits;
        private final RandomGenerator random;
        private final LiveBuffer.Budget budget;

        /**
         * For one connection.
         *
         * @param loop the connection's event loop: runs what pages bring, and its ticker is the clock
         * @param random of the loop, for the jitter of retries
         */
        public Connection(ReplaySource source, EventExecutor loop, Limits limits, RandomGenerator random) {
            this.source = source;
            this.loop = loop;
            this.limits = limits;
            this.random = random;
            this.budget = new LiveBuffer.Budget(limits.bufferBytes());
        }

        private long now() {
            return loop.ticker().nanoTime();
        }
    }

    private final Target target;
    private final Connection connection;
    private final Limits limits;
    private final LiveBuffer buffer;

    private State state = State.BUFFERING;
    private @Nullable Cursor delivered; // everything up to here is sent; null until a "last n" is answered
    private int last;
    private int pageEvents;
    private Cursor splice;
    private boolean held; // until the client's position has been looked up
    private @Nullable Cursor moved; // where a position in a partition that the channel has left goes on
    private @Nullable Cursor untoldStart; // the position that was looked up, until the client knows it
    private boolean started;
    private boolean begun;
    private boolean overflowed;
    private boolean needsNextPage;
    private long stateSince;
    private long retryAt;
    private int attempts;
    private int fetchNumber; // answers of an earlier fetch are ignored
    private @Nullable Runnable cancelFetch;

    /**
     * A merge for one subscription.
     *
     * @param after the client's position, or null with {@code last}
     * @param last number of newest events wanted, or -1
     * @param splice the position after which live events reach {@link #onLive}
     * @param told whether the client has already been told {@code subscribed} (a parked client resumes silently)
     */
    public ReplayMerge(
            Target target, Connection connection, @Nullable Cursor after, int last, Cursor splice, boolean told) {
        this.target = target;
        this.connection = connection;
        this.limits = connection.limits;
        this.buffer = new LiveBuffer(connection.budget);
        this.delivered = after;
        this.last = last;
        this.pageEvents = Math.min(limits.pageEvents(), FIRST_PAGE_EVENTS);
        this.splice = splice;
        this.begun = told;
        this.stateSince = connection.now();
    }

    public State state() {
        return state;
    }

    /** The client's position so far; null before a "last n" is answered. */
    public @Nullable Cursor delivered() {
        return delivered;
    }

    /** The number of newest events wanted, while {@link #delivered} is null. */
    public int last() {
        return last;
    }

    /** Whether the client has been told that its subscription began. */
    public boolean begun() {
        return begun;
    }

    /** Lets the merge wait for its position, which is being looked up; until then {@link #start} does nothing. */
    public void hold() {
        held = true;
    }

    /** Whether its position is being looked up. */
    public boolean isHeld() {
        return held && state == State.BUFFERING;
    }

    /** The position was found; {@link #start} may come. */
    public void startAfter(Cursor position) {
        held = false;
        delivered = position;
        last = -1;
        if (begun) {
            target.starts(position, true);
        } else {
            untoldStart = position;
        }
    }

    /** There is no position, so the newest events are wanted; {@link #start} may come. */
    public void startWithLast() {
        held = false;
    }

    /** There is no position, and nothing else is wanted: everything after the splice is live. */
    public void startFromSplice() {
        held = false;
        boolean told = begun;
        begin(Recovery.NONE, -1);
        target.starts(splice, told);
        delivered = splice;
        splice(connection.now());
        target.progressed();
    }

    /** The position cannot be looked up now: the client is told that it has to wait. */
    public void holdOn(String why) {
        lastFailure = why;
        begin(Recovery.PENDING, -1);
        target.progressed();
    }

    /** The position cannot be looked up at all. */
    public void refuse(ErrorCode code, String message) {
        fail(code, message);
        target.progressed();
    }

    /** Starts fetching; until then live events are buffered all the same. */
    public void start() {
        if (state != State.BUFFERING || held) {
            return;
        }
        long now = connection.now();
        started = true;
        stateSince = now;
        Cursor after = delivered;
        if (after == null
                || !after.epoch().equals(splice.epoch())
                || (after.partition() == splice.partition() && after.offset() < splice.offset())) {
            fetch(now, State.FETCHING);
        } else if (after.partition() != splice.partition()) {
            startMoved(now, after);
        } else if (after.offset() == splice.offset()) {
            complete(now);
        } else {
            awaitTail(now);
        }
    }

    private void startMoved(long now, Cursor after) {
        Cursor to = target.movedTo(after);
        if (to == null) {
            fail(
                    ErrorCode.CURSOR_INVALID,
                    "after: " + after + " is not of this channel (expected: partition " + splice.partition() + ")");
        } else if (to.offset() < splice.offset()) {
            moved = to;
            fetch(now, State.FETCHING);
        } else {
            begin(Recovery.GAP, overflowed ? -1 : 0);
            target.gap(new Gap(after, to, Gap.Reason.EPOCH));
            delivered = to;
            splice = to;
            splice(now);
            target.progressed();
        }
    }

    /** Whether a live segment that ends at this offset has to be given to {@link #onLive}. */
    public boolean wants(long lastOffset) {
        return !overflowed && lastOffset > splice.offset();
    }

    /** A live segment of the channel; the caller keeps its own reference. */
    public void onLive(LoopBatch segment) {
        if (!overflowed && !buffer.offer(segment)) {
            onLiveLost();
        }
    }

    /**
     * Live records were passed over, because the buffer is full or because retention has removed them before the tailer
     * read them: what is buffered has a hole then. It is dropped, and the log is asked once more up to the tail, which
     * replays what is missing, or tells the gap.
     */
    public void onLiveLost() {
        overflowed = true;
        buffer.clear();
    }

    /** Whether live records have been passed over since the last fetch began. */
    public boolean overflowed() {
        return overflowed;
    }

    /** Time passes; called several times a second. */
    public void onTick() {
        long now = connection.now();
        switch (state) {
            case BUFFERING -> {
                if (started) {
                    awaitTail(now);
                } else {
                    tellPending(now); // queued behind the connection's other resumes
                }
            }
            case FETCHING, CATCHING_UP -> {
                tellPending(now);
                if (!needsNextPage && now - stateSince > limits.progressNanos()) {
                    stopFetch();
                    waitAndRetry(now, "no answer in state " + state);
                }
            }
            case WAITING -> {
                if (now - retryAt >= 0) {
                    fetch(now, State.FETCHING);
                }
            }
            case LIVE, FAILED, CANCELLED -> {
                // Nothing to wait for.
            }
        }
    }

    private void tellPending(long now) {
        if (!begun && now - stateSince > limits.answerNanos()) {
            begin(Recovery.PENDING, -1);
            target.progressed();
        }
    }

    /** The client takes more again. */
    public void onWritable() {
        if (needsNextPage) {
            fetch(connection.now(), State.CATCHING_UP);
        }
    }

    /** Gives up, for a reason of the subscription's own. */
    public void cancel() {
        if (state != State.LIVE && state != State.FAILED) {
            leave(State.CANCELLED);
        }
    }

    private void awaitTail(long now) {
        Cursor after = delivered;
        if (after == null) {
            return;
        }
        Cursor tail = target.tailPosition();
        if (!after.comparableTo(tail) || tail.offset() >= after.offset()) {
            // Reached. What the tail holds up to the client's own cursor is dropped by offset, the rest is live.
            splice = after;
            complete(now);
        } else if (now - stateSince > limits.cursorNanos()) {
            if (target.tailIsMoving()) {
                fail(ErrorCode.CURSOR_INVALID, "after: " + after + " lies beyond the end of the log (" + tail + ")");
            } else {
                fail(
                        ErrorCode.UNAVAILABLE,
                        "after: " + after + " cannot be judged now: the fan-out log cannot be read");
            }
        }
    }

    private void fetch(long now, State next) {
        Cursor after = delivered;
        state = next;
        stateSince = now;
        needsNextPage = false;
        int number = ++fetchNumber;
        Replay.Request request = new Replay.Request(
                target.channel(),
                moved == null ? after : moved,
                after == null ? last : -1,
                splice.epoch(),
                splice.partition(),
                splice.offset(),
                after == null ? Math.max(last, 1) : pageEvents);
        ReplayPage page = new ReplayPage(connection, p -> connection.loop.execute(() -> onPage(number, p)));
        try {
            cancelFetch = connection.source.fetch(request, page);
        } catch (RuntimeException e) {
            LOG.warn("Replay of {} could not be asked for", target.channel(), e);
            waitAndRetry(now, e.toString());
        }
    }

    private void onPage(int number, ReplayPage page) {
        if (number != fetchNumber || (state != State.FETCHING && state != State.CATCHING_UP)) {
            return; // of a fetch that was given up
        }
        cancelFetch = null;
        long now = connection.now();
        Replay.End end = page.end;
        try {
            if (end == null) {
                waitAndRetry(now, page.failure);
            } else if (end.error() != null) {
                onError(now, end.error(), String.valueOf(end.message()));
            } else if (!end.cursor().comparableTo(splice)) {
                waitAndRetry(now, "the replay service reads another incarnation of the topic");
            } else {
                onEvents(now, page, end);
            }
        } catch (RuntimeException | OutOfMemoryError e) {
            // Half of a page or of the buffer may have been sent: whatever follows would pass over the rest.
            LOG.warn("Resuming {} failed", target.channel(), e);
            fail(ErrorCode.INTERNAL, "replay failed; resubscribe after the last event");
        }
        target.progressed();
    }

    private void onError(long now, ErrorCode code, String message) {
        switch (code) {
            case UNAVAILABLE, RATE_LIMITED, LIMIT_EXCEEDED, INTERNAL, UNAUTHENTICATED -> waitAndRetry(now, message);
            default -> fail(code, message);
        }
    }

    private void onEvents(long now, ReplayPage page, Replay.End end) {
        Cursor before = delivered;
        Gap gap = gapToTell(page.gap);
        Cursor from = gap == null ? before : gap.cursor();
        List<Replayed> events = page.eventsAfter(from, overflowed ? Long.MAX_VALUE : splice.offset());
        Cursor at = furthest(from, upToSplice(end.cursor()));
        if (!events.isEmpty()) {
            at = furthest(at, events.getLast().cursor());
        }
        // The page may be the answer to others that wanted more: what it says beyond the splice is not ours to wait
        // for.
        boolean whole = end.complete() || end.cursor().offset() >= splice.offset();
        boolean complete = whole && at.offset() >= splice.offset();
        if (!complete && (before == null ? events.isEmpty() : at.equals(before))) {
            waitAndRetry(now, "the replay service does not get on");
            return;
        }
        attempts = 0;
        moved = null; // the client is told the gap now
        begin(gap != null ? Recovery.GAP : Recovery.COMPLETE, complete && !overflowed ? events.size() : -1);
        if (gap != null) {
            target.gap(gap);
        }
        if (!events.isEmpty()) {
            target.replayed(events);
            long bytes = 0;
            for (Replayed e : events) {
                bytes += e.frame().length;
            }
            long fit = PAGE_BYTES * (long) events.size() / Math.max(1, bytes);
            // A power of two, so that those who read the same ask for the same, and can share it.
            pageEvents = Integer.highestOneBit(Math.clamp(fit, 1, limits.pageEvents()));
        }
        if (complete) {
            delivered = at;
            splice(now);
        } else {
            // Asked from the last event rather than from how far the page looked: the next page's chain begins at the
            // cursor it is asked with, and the client knows of the event, but not of the look.
            delivered = events.isEmpty() ? at : events.getLast().cursor();
            nextPage(now);
        }
    }

    /** Where live events take over, replay need not go on: whatever the service says beyond it, is live here. */
    private Cursor upToSplice(Cursor c) {
        boolean beyond = c.comparableTo(splice) && c.offset() > splice.offset();
        return beyond && !overflowed ? splice : c;
    }

    private @Nullable Gap gapToTell(@Nullable Gap gap) {
        Cursor before = delivered;
        if (moved != null && before != null) {
            // Whatever else is missing, in the partition of now: one gap covers both.
            return new Gap(before, gap == null ? moved : furthest(moved, upToSplice(gap.cursor())), Gap.Reason.EPOCH);
        }
        if (gap == null) {
            if (before == null || before.comparableTo(splice)) {
                return null;
            }
            // A position of another topic cannot go on here without a gap, even if the service should not say so.
            return new Gap(before, splice.at(Cursor.BEFORE_FIRST), Gap.Reason.EPOCH);
        }
        Cursor to = upToSplice(gap.cursor());
        boolean nothing =
                gap.after().comparableTo(to) && to.offset() <= gap.after().offset();
        return nothing ? null : new Gap(gap.after(), to, gap.reason());
    }

    private static Cursor furthest(@Nullable Cursor a, Cursor b) {
        return a != null && a.comparableTo(b) && a.offset() > b.offset() ? a : b;
    }

    private void nextPage(long now) {
        Cursor at = delivered;
        if (at != null) {
            // A page without events gets on all the same. The next one's first event names, as its prev, the cursor we
            // ask with: a client that was not told would take it for a hole.
            target.covered(at);
        }
        state = State.CATCHING_UP;
        stateSince = now;
        if (target.writable()) {
            fetch(now, State.CATCHING_UP);
        } else {
            needsNextPage = true; // the slow client itself is the back-pressure; its heartbeat is its deadline
        }
    }

    /** Nothing was missed. */
    private void complete(long now) {
        begin(Recovery.COMPLETE, overflowed ? -1 : 0);
        splice(now);
        target.progressed();
    }

    private void splice(long now) {
        if (overflowed) {
            overflowed = false; // from the new target on the buffer, which is empty, will be whole again
            delivered = furthest(delivered, splice);
            splice = furthest(delivered, target.tailPosition());
            nextPage(now);
            return;
        }
        long position = splice.offset();
        state = State.LIVE;
        target.spliced(splice);
        buffer.drain(segment -> {
            int from = segment.firstAbove(0, position);
            if (from < segment.events(0)) {
                target.live(segment, from);
            }
        });
    }

    private void begin(Recovery recovery, long replayed) {
        if (!begun) {
            begun = true;
            target.begun(splice, recovery, replayed);
            Cursor start = untoldStart;
            if (start != null) {
                untoldStart = null;
                // Without events the position is the splice's, which was told just now.
                target.starts(start, replayed != 0);
            }
        }
    }

    private void waitAndRetry(long now, String why) {
        lastFailure = why;
        begin(Recovery.PENDING, -1);
        state = State.WAITING;
        stateSince = now;
        long backOff = limits.retryNanos() << Math.min(attempts++, 4);
        retryAt = now + backOff / 2 + connection.random.nextLong(backOff / 2 + 1);
    }

    private String lastFailure = "";

    /** Why the last fetch failed; empty if none did. For logs. */
    public String lastFailure() {
        return lastFailure;
    }

    private void fail(ErrorCode code, String message) {
        boolean told = begun;
        leave(State.FAILED);
        target.failed(code, message, told);
    }

    private void leave(State end) {
        state = end;
        stopFetch();
        buffer.clear();
    }

    private void stopFetch() {
        fetchNumber++;
        Runnable cancel = cancelFetch;
        cancelFetch = null;
        if (cancel != null) {
            cancel.run();
        }
    }
}

package dev.tidegate.replay.reads;

import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.replay.recent.ChannelKey;
import java.util.ArrayDeque;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Schedulers;

/**
 * One request's place in a read: what is wanted, and what has been found and not yet been taken. The tier's thread puts in,
 * the request's takes out; all state is guarded by the ticket's own lock, held for one event at a time. A read never waits for
 * a ticket: when the page's bounds or the room shared by all tickets are used up, the page ends there, and the
 * client asks for the next.
 */
public final class ReadTicket {
    /** How the read went for this ticket. */
    public enum State {
        /** More may come. */
        RUNNING,
        /** All that was asked for has been read. */
        REACHED,
        /** A bound was hit; {@link #position} is where to go on. */
        CUT,
        /** The tier does not have the offset that comes next any more: look again where it starts. */
        LOST,
        /** No read could be had, or it came to a standstill. */
        UNAVAILABLE
    }

    /**
     * What is wanted: events of the channel in ({@code after}, {@code upTo}].
     *
     * @param previous the client's position: what the first event's {@code prev} says; at most {@code after}, and no event of the
     *     channel lies between the two
     * @param newest whether, of more than {@code maxEvents}, the newest are wanted; then they come all at once, at the end
     * @param maxEvents most events
     * @param maxBytes about most bytes of frames
     */
    public record Wanted(
            String epoch,
            ChannelKey channel,
            int partition,
            long after,
            long previous,
            long upTo,
            boolean newest,
            int maxEvents,
            long maxBytes) {}

    private final Wanted wanted;
    private final Room room;
    private final ArrayDeque<byte[]> newest = new ArrayDeque<>(); // bounded by maxEvents and maxBytes
    private final long since = System.nanoTime();

    private final FrameBuffer found = new FrameBuffer(256);
    private State state = State.RUNNING;
    private @Nullable String why;
    private long position;
    private long previous;
    private int events;
    private int untaken;
    private long bytes;
    private boolean cancelled;
    private @Nullable MonoSink<Void> waiting;

    /** A ticket whose page takes its bytes from {@code room}. */
    public ReadTicket(Wanted wanted, Room room) {
        this.wanted = wanted;
        this.room = room;
        this.position = wanted.after();
        this.previous = wanted.previous();
    }

    /** What is wanted. */
    public Wanted wanted() {
        return wanted;
    }

    /** When it was asked for, {@link System#nanoTime}. */
    public long since() {
        return since;
    }

    /** How the read went so far. */
    public synchronized State state() {
        return state;
    }

    /** With {@link State#UNAVAILABLE}: why. */
    public synchronized String why() {
        return why == null ? "" : why;
    }

    /** Everything of the channel up to this offset has been found. */
    public synchronized long position() {
        return position;
    }

    /** The offset of the last event found, else the client's position. */
    public synchronized long previous() {
        return previous;
    }

    /** Whether the newest events were asked for. */
    public boolean wantsNewest() {
        return wanted.newest();
    }

    /** Events found so far. */
    public synchronized int found() {
        return events;
    }

    /** Whether there were as many events as were asked for. */
    public synchronized boolean foundAll() {
        return events >= wanted.maxEvents();
    }

    /** Moves what was found to {@code out}, frames with a line break behind each; returns how many. */
    public synchronized int take(FrameBuffer out) {
        int n = untaken;
        out.raw(found.array(), 0, found.size());
        giveBack();
        return n;
    }

    private void giveBack() {
        room.giveBack(found.size());
        found.clear();
        untaken = 0;
    }

    /** Completes when there is something to take, or the read is over; on a thread that may be kept busy. */
    public Mono<Void> changed() {
        return Mono.<Void>create(sink -> {
                    synchronized (this) {
                        if (untaken == 0 && state == State.RUNNING) {
                            waiting = sink;
                            return;
                        }
                    }
                    sink.success();
                })
                .publishOn(Schedulers.parallel());
    }

    /** The client is gone. */
    public synchronized void cancel() {
        cancelled = true;
        newest.forEach(found::raw);
        newest.clear();
        giveBack();
        if (state == State.RUNNING) {
            state = State.CUT;
        }
        waiting = null;
    }

    /** Whether nothing more need be found: the page is at a bound, the read has ended, or the client is gone. */
    public synchronized boolean isOver() {
        return cancelled || state != State.RUNNING;
    }

    /** The tier's thread: an event of the channel. */
    public synchronized void event(long offset, FanoutRecord record) {
        if (state != State.RUNNING || offset <= position || offset > wanted.upTo()) {
            return;
        }
        int before = found.size();
        EventFrames.encode(found, wanted.epoch(), wanted.partition(), offset, previous, record, true);
        found.raw('\n');
        int size = found.size() - before;
        previous = offset;
        position = offset;
        events++;
        bytes += size;
        if (wanted.newest()) {
            keepNewest(size);
            return;
        }
        untaken++;
        boolean fits = room.take(size);
        if (!fits || events >= wanted.maxEvents() || bytes >= wanted.maxBytes()) {
            state = offset == wanted.upTo() ? State.REACHED : State.CUT;
        }
    }

    /** The tier's thread: an event of the channel, the last one of the range. */
    public synchronized void lastEvent(long offset, FanoutRecord record) {
        if (state == State.RUNNING) {
            event(offset, record);
            position = wanted.upTo();
            state = State.REACHED;
        }
    }

    private void keepNewest(int size) {
        newest.add(Arrays.copyOf(found.array(), size));
        found.clear();
        var _ = room.take(size);
        while (events > 1 && (events > wanted.maxEvents() || bytes > wanted.maxBytes() || room.isOver())) {
            int dropped = newest.remove().length;
            room.giveBack(dropped);
            bytes -= dropped;
            events--;
        }
    }

    /** The tier's thread: all records up to this offset have been looked at. Tells who waits. */
    public void passed(long offset) {
        MonoSink<Void> sink;
        synchronized (this) {
            if (state == State.RUNNING) {
                position = Math.max(position, Math.min(offset, wanted.upTo()));
                if (position >= wanted.upTo()) {
                    reached();
                }
            }
            if (untaken == 0 && state == State.RUNNING) {
                return;
            }
            sink = waiting;
            waiting = null;
        }
        if (sink != null) {
            sink.success();
        }
    }

    private void reached() {
        state = State.REACHED;
        untaken += newest.size();
        newest.forEach(found::raw);
        newest.clear();
    }

    /** The tier's thread: the read ends for this ticket. */
    public void end(State how, @Nullable String reason) {
        MonoSink<Void> sink;
        synchronized (this) {
            if (state == State.RUNNING) {
                state = how;
                why = reason;
            }
            newest.forEach(frame -> room.giveBack(frame.length)); // of no use: newer ones were not seen
            newest.clear();
            sink = waiting;
            waiting = null;
        }
        if (sink != null) {
            sink.success();
        }
    }
}

package dev.tidegate.replay.recent;

import static dev.tidegate.replay.recent.RecordLayout.*;

import dev.tidegate.protocol.EventSlices;
import java.lang.foreign.MemorySegment;

/**
 * Reads a {@link RecentLog}: finds the events of a channel, then hands them out one by one. It keeps its scratch memory (a
 * page of positions, the largest event met), so that a page costs no allocation. For one thread at a time; as many of them
 * as one likes work at once, beside the writer.
 */
public final class RecentReader {
    /** How often a search starts over because what it stood on was overwritten; then memory counts as not covering. */
    private static final int ATTEMPTS = 3;

    /** What a search found. */
    public enum Outcome {
        /** Memory knows that the channel has no event in the range. */
        NOTHING,
        /** The page of events is ready: {@link #count}, {@link #load}. */
        EVENTS,
        /** Memory does not reach back far enough: see {@link #coveredAfter}. */
        NOT_COVERED
    }

    private enum Step {
        DONE,
        AGAIN
    }

    /** The header of a record, as of a moment when it was held. */
    private static final class Node {
        long position;
        int depth;
        long offset;
        long since;
        long previous; // position, or -1
        long jump; // position, or -1
    }

    private final RecentLog log;
    private final RingMemory ring;
    private final ChannelTable.Names names;
    private final EventSlices event = new EventSlices();
    private Node node = new Node();
    private Node probe = new Node();
    private final Node end = new Node();
    private long[] page = new long[32];
    private byte[] scratch = new byte[1024];

    private Outcome outcome = Outcome.NOTHING;
    private int count;
    private boolean more;
    private long coveredAfter;
    private long loadedOffset;
    private long loadedSince;
    private long visits;

    RecentReader(RecentLog log) {
        this.log = log;
        this.ring = log.ring();
        this.names = log.names();
    }

    /**
     * Looks for the channel's events in ({@code after}, {@code upTo}], oldest first.
     *
     * @param upTo at most the partition's {@link RecentLog#position}, read before
     * @param limit most events of the page
     */
    public Outcome find(ChannelKey channel, int partition, long after, long upTo, int limit) {
        if (after >= upTo) {
            return answer(Outcome.NOTHING, 0, false);
        }
        for (int i = 0; i < ATTEMPTS; i++) {
            if (search(channel, partition, after, upTo, limit) == Step.DONE) {
                return outcome;
            }
        }
        return notCovered(log.firstKept(partition) - 1);
    }

    /**
     * Counts back {@code n} events of the channel from {@code upTo}.
     *
     * @return how many of them memory has. If all {@code n}, they are the events in ({@link #coveredAfter}, {@code upTo}];
     *     if fewer, the others are at or before {@link #coveredAfter}
     */
    public int countBack(ChannelKey channel, int partition, long upTo, int n) {
        for (int i = 0; i < ATTEMPTS; i++) {
            int found = tryCountBack(channel, partition, upTo, n);
            if (found >= 0) {
                return found;
            }
        }
        coveredAfter = log.firstKept(partition) - 1;
        return 0;
    }

    /** Events of the page. */
    public int count() {
        return count;
    }

    /** Whether the range holds more events than the page's limit let in. */
    public boolean more() {
        return more;
    }

    /** Memory has every event of the channel after this offset, up to the partition's position. */
    public long coveredAfter() {
        return coveredAfter;
    }

    /** Copies an event of the page out of the ring. False if it has been overwritten since: then search again. */
    public boolean load(int index) {
        long position = page[index];
        MemorySegment s = ring.segment(position);
        long at = ring.place(position);
        int channel = getLength(s, at + CHANNEL);
        int id = getLength(s, at + ID);
        int type = getLength(s, at + TYPE);
        int contentType = getLength(s, at + CONTENT_TYPE);
        int payload = getInt(s, at + PAYLOAD);
        int kind = getLength(s, at + KIND);
        long time = getLong(s, at + TIME);
        long offset = getLong(s, at + OFFSET);
        long since = getLong(s, at + SINCE);
        if (!log.stillHeld(position)) {
            return false; // the lengths may be anything
        }
        int bytes = channel + id + type + contentType + payload;
        if (scratch.length < bytes) {
            scratch = new byte[Math.max(bytes, 2 * scratch.length)];
        }
        getBytes(s, at + HEADER, scratch, bytes);
        if (!log.stillHeld(position)) {
            return false;
        }
        loadedOffset = offset;
        loadedSince = since;
        event.set(scratch, 0, channel, id, type, contentType, payload).describe(time, kind(kind));
        return true;
    }

    /** The offset of the event loaded. */
    public long offset() {
        return loadedOffset;
    }

    /** An offset such that the channel has no event strictly between it and the event loaded. */
    public long since() {
        return loadedSince;
    }

    /** The event loaded; valid until the next {@link #load}. */
    public EventSlices event() {
        return event;
    }

    /** Headers read so far: what searching costs, whatever the machine. */
    long visits() {
        return visits;
    }

    private Step search(ChannelKey channel, int partition, long after, long upTo, int limit) {
        long newest = newestAfter(channel, after);
        if (newest < 0) {
            return decideWithoutRecord(channel, partition, after, newest);
        }
        if (!visit(node, newest)) {
            return Step.AGAIN;
        }
        if (!backToOffset(upTo)) {
            return Step.AGAIN;
        }
        if (node.offset > upTo) { // the oldest kept is still too late
            return decide(node.since <= after, Outcome.NOTHING, node.since);
        }
        if (node.offset <= after) {
            return decide(true, Outcome.NOTHING, after);
        }
        copy(node, end);
        if (!backToFirstAfter(after)) {
            return Step.AGAIN;
        }
        if (node.since > after) { // the chain ends before it has reached back to `after`
            return decide(false, Outcome.NOT_COVERED, node.since);
        }
        return collect(limit);
    }

    /** The table has no later record: either the channel has none, or it has been evicted. */
    private Step decideWithoutRecord(ChannelKey channel, int partition, long after, long found) {
        long kept = log.firstKept(partition); // after the look-up: see RecentLog
        if (kept <= after + 1) {
            return decide(true, Outcome.NOTHING, after);
        }
        // A channel whose newest record is still here has no event after that, however long ago that was. Looked at
        // closely,
        // since the table's match may have been another channel with the same hash.
        boolean known = found == ChannelTable.NONE_OR_OLDER
                && visit(node, newestAfter(channel, Long.MIN_VALUE))
                && (node.offset <= after || node.since <= after);
        return decide(known, Outcome.NOTHING, kept - 1);
    }

    private Step decide(boolean covered, Outcome ifCovered, long from) {
        if (covered) {
            answer(ifCovered, 0, false);
        } else {
            notCovered(from);
        }
        return Step.DONE;
    }

    private Outcome answer(Outcome o, int events, boolean moreFollow) {
        outcome = o;
        count = events;
        more = moreFollow;
        return o;
    }

    private Outcome notCovered(long from) {
        coveredAfter = from;
        return answer(Outcome.NOT_COVERED, 0, false);
    }

    /** Fills the page with the records from {@code node} (the first) on, at most up to {@code end}. */
    private Step collect(int limit) {
        int first = node.depth;
        long firstPosition = node.position;
        int events = end.depth - first + 1;
        boolean cut = events > limit;
        int n = cut ? limit : events;
        copy(end, node);
        if (cut && !backToDepth(first + n - 1)) {
            return Step.AGAIN;
        }
        if (page.length < n) {
            page = new long[Math.max(n, 2 * page.length)];
        }
        for (int i = n - 1; i > 0; i--) {
            page[i] = node.position;
            if (!visit(node, node.previous)) {
                return Step.AGAIN;
            }
        }
        page[0] = firstPosition;
        answer(Outcome.EVENTS, n, cut);
        return Step.DONE;
    }

    private int tryCountBack(ChannelKey channel, int partition, long upTo, int n) {
        long newest = newestAfter(channel, Long.MIN_VALUE);
        if (newest < 0) {
            coveredAfter = log.firstKept(partition) - 1;
            return 0;
        }
        if (!visit(node, newest) || !backToOffset(upTo)) {
            return -1;
        }
        if (node.offset > upTo) {
            coveredAfter = node.since;
            return 0;
        }
        int last = node.depth;
        if (!backToDepth(last - n + 1)) {
            return -1;
        }
        coveredAfter = node.since;
        return last - node.depth + 1;
    }

    /** Moves back to the newest record with an offset of at most {@code bound}, or to the oldest kept; false: overwritten. */
    private boolean backToOffset(long bound) {
        while (node.offset > bound) {
            if (jumpTo() && probe.offset > bound) {
                take();
            } else if (held(node.previous)) {
                if (!visit(node, node.previous)) {
                    return false;
                }
            } else {
                return true;
            }
        }
        return true;
    }

    /** Moves back to the oldest record with an offset above {@code bound}, or to the oldest kept; false: overwritten. */
    private boolean backToFirstAfter(long bound) {
        while (node.since > bound) {
            if (jumpTo() && probe.offset > bound) {
                take();
            } else if (!held(node.previous)) {
                return true;
            } else if (!visit(node, node.previous)) {
                return false;
            }
        }
        return true;
    }

    /** Moves back to the record at this depth, or to the oldest kept; false: overwritten. */
    private boolean backToDepth(int bound) {
        while (node.depth - bound > 0) {
            if (jumpTo() && probe.depth - bound >= 0) {
                take();
            } else if (!held(node.previous)) {
                return true;
            } else if (!visit(node, node.previous)) {
                return false;
            }
        }
        return true;
    }

    private boolean held(long position) {
        return position >= 0 && log.oldest() <= position;
    }

    /** Looks at where the current record jumps to; false if nowhere, or that is gone. */
    private boolean jumpTo() {
        return held(node.jump) && visit(probe, node.jump);
    }

    private void take() {
        Node n = node;
        node = probe;
        probe = n;
    }

    /** Reads a record's header; false if it is gone. */
    private boolean visit(Node n, long position) {
        if (position < 0) {
            return false;
        }
        visits++;
        MemorySegment s = ring.segment(position);
        long at = ring.place(position);
        n.position = position;
        n.depth = getInt(s, at + DEPTH);
        n.offset = getLong(s, at + OFFSET);
        n.since = getLong(s, at + SINCE);
        long previous = getDistance(s, at + PREVIOUS);
        long jump = getDistance(s, at + JUMP);
        n.previous = previous == 0 ? -1 : position - previous;
        n.jump = jump == 0 ? -1 : position - jump;
        return log.stillHeld(position);
    }

    private long newestAfter(ChannelKey channel, long after) {
        return log.table().newestAfter(channel.hash(), channel.bytes(), after, log.oldest(), names);
    }

    private static void copy(Node from, Node to) {
        to.position = from.position;
        to.depth = from.depth;
        to.offset = from.offset;
        to.since = from.since;
        to.previous = from.previous;
        to.jump = from.jump;
    }
}

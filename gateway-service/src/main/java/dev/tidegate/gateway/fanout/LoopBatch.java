package dev.tidegate.gateway.fanout;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What one batch of the tailer brings for one event loop: per channel a segment, whose frames lie behind each other in
 * one buffer per wire format, so that a subscriber costs one write per segment however many events it holds. Built on
 * the tailer, then read on its loop alone.
 *
 * <p>Reference counted through its buffers: the shard releases it once delivered; what a resuming subscription keeps is a
 * {@link #copyOf copy of its segment}, shared by {@link #retain}.
 */
public final class LoopBatch {
    private final Frames ws;
    private final @Nullable Frames deflated;
    private final @Nullable ByteBuf sse;
    private final int segments;
    private final Interest[] interest;
    private final int[] firstEvent; // per segment, index into the event arrays; one more at the end
    private final long[] offset; // per event
    private final int[] sseEnd; // per event, index in sse after its block; empty without event streams
    private final byte @Nullable [] @Nullable [] subjects; // per event its subject or null; null if none has one
    private final byte @Nullable [] @Nullable [] ids; // per event its id if it was provisional; null if none was
    private final Tail tail;
    private final int[] partitions;
    private final long[] ends;

    LoopBatch(Builder b, Tail tail, int[] partitions, long[] ends) {
        this.sse = b.sse;
        this.segments = b.segments;
        this.interest = Arrays.copyOf(b.interest, b.segments);
        this.firstEvent = Arrays.copyOf(b.firstEvent, b.segments + 1);
        this.firstEvent[b.segments] = b.events;
        this.offset = Arrays.copyOf(b.offset, b.events);
        this.ws = new Frames(b.ws, Arrays.copyOf(b.wsEnd, b.events));
        this.deflated = b.deflated == null ? null : new Frames(b.deflated, Arrays.copyOf(b.deflatedEnd, b.events));
        this.sseEnd = b.sse == null ? NONE : Arrays.copyOf(b.sseEnd, b.events);
        this.subjects = b.subjects;
        this.ids = b.ids;
        this.tail = tail;
        this.partitions = partitions;
        this.ends = ends;
    }

    /** @param first index of the first event that is copied, of all of the batch; {@code end}: after the last one */
    private LoopBatch(LoopBatch of, int segment, int first, int end) {
        int wsFrom = of.ws.start(first);
        this.segments = 1;
        this.interest = new Interest[] {of.interest[segment]};
        this.firstEvent = new int[] {0, end - first};
        this.offset = Arrays.copyOfRange(of.offset, first, end);
        this.ws = new Frames(
                of.ws.bytes.copy(wsFrom, of.ws.end[end - 1] - wsFrom),
                less(Arrays.copyOfRange(of.ws.end, first, end), wsFrom));
        this.deflated = null; // plain frames are right for everybody, and what is kept is bounded by their bytes
        ByteBuf s = of.sse;
        if (s == null) {
            this.sse = null;
            this.sseEnd = NONE;
        } else {
            int sseFrom = first == 0 ? 0 : of.sseEnd[first - 1];
            this.sse = s.copy(sseFrom, of.sseEnd[end - 1] - sseFrom);
            this.sseEnd = less(Arrays.copyOfRange(of.sseEnd, first, end), sseFrom);
        }
        this.subjects = null;
        this.ids = null;
        this.tail = of.tail;
        this.partitions = of.partitions;
        this.ends = of.ends;
    }

    private static int[] less(int[] a, int by) {
        for (int i = 0; i < a.length; i++) {
            a[i] -= by;
        }
        return a;
    }

    private static final int[] NONE = new int[0];

    /**
     * A copy of one segment with buffers of its own, for whoever has to keep it: keeping a slice would keep the whole
     * batch's memory. The caller owns it.
     */
    public LoopBatch copyOf(int segment) {
        return new LoopBatch(this, segment, firstEvent[segment], firstEvent[segment + 1]);
    }

    /** A copy of one event of a segment, for the same reason: a batch of one segment of one event. The caller owns it. */
    public LoopBatch copyOf(int segment, int event) {
        int first = firstEvent[segment] + event;
        return new LoopBatch(this, segment, first, first + 1);
    }

    /** The incarnation of the topic this is of. */
    public Tail tail() {
        return tail;
    }

    /** Number of segments. */
    public int segments() {
        return segments;
    }

    /** The segment's channel. */
    public Interest interest(int segment) {
        return interest[segment];
    }

    /** Number of events in the segment. */
    public int events(int segment) {
        return firstEvent[segment + 1] - firstEvent[segment];
    }

    /** The offset of the segment's first event. */
    public long firstOffset(int segment) {
        return offset[firstEvent[segment]];
    }

    /** The offset of the segment's last event. */
    public long lastOffset(int segment) {
        return offset[firstEvent[segment + 1] - 1];
    }

    /** The offset of an event of the segment. */
    public long offset(int segment, int event) {
        return offset[firstEvent[segment] + event];
    }

    /** The subject of an event of the segment, or null. A copy knows none. */
    public byte @Nullable [] subject(int segment, int event) {
        byte @Nullable [] @Nullable [] s = subjects;
        int i = firstEvent[segment] + event;
        return s == null || i >= s.length ? null : s[i];
    }

    /** Bytes that the batch's plain buffers hold; a copy has no others. */
    public int bytes() {
        return ws.bytes.capacity() + (sse == null ? 0 : sse.capacity());
    }

    /** Whether some events of the batch have been delivered provisionally. */
    public boolean hasProvisional() {
        return ids != null;
    }

    /** The id of an event of the segment if it has been delivered provisionally, else null. A copy knows none. */
    public byte @Nullable [] provisionalId(int segment, int event) {
        byte @Nullable [] @Nullable [] all = ids;
        int i = firstEvent[segment] + event;
        return all == null || i >= all.length ? null : all[i];
    }

    /** Index of the segment's first event above this offset; {@link #events} if there is none. */
    public int firstAbove(int segment, long position) {
        int i = firstEvent[segment];
        int end = firstEvent[segment + 1];
        while (i < end && offset[i] <= position) {
            i++;
        }
        return i - firstEvent[segment];
    }

    /** Bytes of the segment in plain WebSocket framing. */
    public int wsBytes(int segment) {
        return ws.bytes(segment);
    }

    /** The segment's plain WebSocket frames from this event on; the caller owns the returned buffer. */
    public ByteBuf ws(int segment, int fromEvent) {
        return ws.from(segment, fromEvent);
    }

    /**
     * The segment's frames as a WebSocket takes them that does or does not take compressed ones: plain ones also for the
     * former, where nobody had asked for others when the batch was made.
     */
    public Frames frames(int segment, boolean deflating) {
        Frames d = deflated;
        return deflating && d != null && d.bytes(segment) > 0 ? d : ws;
    }

    /** Whether the WebSocket frames lie at an address. */
    public boolean isDirect() {
        return ws.bytes.hasMemoryAddress();
    }

    /** The batch's frames in one kind of WebSocket framing. */
    public final class Frames {
        private final ByteBuf bytes;
        private final int[] end; // per event, index in the buffer after its frame

        private Frames(ByteBuf bytes, int[] end) {
            this.bytes = bytes;
            this.end = end;
        }

        private int start(int event) {
            return event == 0 ? 0 : end[event - 1];
        }

        private int end(int segment) {
            return end[firstEvent[segment + 1] - 1];
        }

        /** Bytes of the segment. */
        public int bytes(int segment) {
            return end(segment) - start(firstEvent[segment]);
        }

        /** The segment's frames from this event on; the caller owns the returned buffer. */
        public ByteBuf from(int segment, int event) {
            return range(segment, event, events(segment));
        }

        /** The segment's frames from this event on and before that one; the caller owns the returned buffer. */
        public ByteBuf range(int segment, int event, int toEvent) {
            int from = start(firstEvent[segment] + event);
            return bytes.retainedSlice(from, start(firstEvent[segment] + toEvent) - from);
        }

        /** The address of the segment's frames, where they have one; valid while the batch is. */
        public long address(int segment) {
            return bytes.memoryAddress() + start(firstEvent[segment]);
        }

        /** The segment's frames but for this many bytes at their start; the caller owns the returned buffer. */
        public ByteBuf rest(int segment, int skip) {
            int from = start(firstEvent[segment]) + skip;
            return bytes.retainedSlice(from, end(segment) - from);
        }
    }

    /** One event's block of an event stream, without its {@code id:} line and end; the caller owns the buffer. */
    public ByteBuf sse(int segment, int event) {
        int i = firstEvent[segment] + event;
        int from = i == 0 ? 0 : sseEnd[i - 1];
        ByteBuf buf = sse;
        if (buf == null) {
            throw new IllegalStateException("batch has no event-stream blocks");
        }
        return buf.retainedSlice(from, sseEnd[i] - from);
    }

    /** The partitions that moved with this batch. */
    public int movedPartitions() {
        return partitions.length;
    }

    /** The i-th partition that moved. */
    public int movedPartition(int i) {
        return partitions[i];
    }

    /** The offset that the i-th partition has reached once this batch is delivered. */
    public long movedTo(int i) {
        return ends[i];
    }

    /** Keeps the buffers beyond the delivery. */
    public void retain() {
        ws.bytes.retain();
        if (deflated != null) {
            deflated.bytes.retain();
        }
        if (sse != null) {
            sse.retain();
        }
    }

    /** Gives the buffers back. */
    public void release() {
        ws.bytes.release();
        if (deflated != null) {
            deflated.bytes.release();
        }
        if (sse != null) {
            sse.release();
        }
    }

    /** Collects a batch for one loop, on the tailer; used again for the next batch. */
    static final class Builder {
        ByteBuf ws = io.netty.buffer.Unpooled.EMPTY_BUFFER;

        @Nullable
        ByteBuf sse;

        @Nullable
        ByteBuf deflated;

        int segments;
        int events;
        Interest[] interest = new Interest[16];
        int[] firstEvent = new int[17];
        long[] offset = new long[64];
        int[] wsEnd = new int[64];
        int[] sseEnd = new int[64];
        int[] deflatedEnd = new int[64];
        byte @Nullable [] @Nullable [] subjects;

        byte @Nullable [] @Nullable [] ids;

        boolean isEmpty() {
            return segments == 0;
        }

        void startSegment(Interest i) {
            if (segments == interest.length) {
                interest = Arrays.copyOf(interest, segments * 2);
                firstEvent = Arrays.copyOf(firstEvent, segments * 2 + 1);
            }
            interest[segments] = i;
            firstEvent[segments++] = events;
        }

        void event(long o, int wsIndex, int sseIndex, int deflatedIndex) {
            if (events == offset.length) {
                offset = Arrays.copyOf(offset, events * 2);
                wsEnd = Arrays.copyOf(wsEnd, events * 2);
                sseEnd = Arrays.copyOf(sseEnd, events * 2);
                deflatedEnd = Arrays.copyOf(deflatedEnd, events * 2);
            }
            offset[events] = o;
            wsEnd[events] = wsIndex;
            deflatedEnd[events] = deflatedIndex;
            sseEnd[events++] = sseIndex;
        }

        /** The last event's subject. */
        void subject(byte[] s) {
            byte @Nullable [] @Nullable [] all = subjects;
            if (all == null || all.length < events) {
                all = all == null ? new byte[offset.length][] : Arrays.copyOf(all, offset.length);
                subjects = all;
            }
            all[events - 1] = s;
        }

        /** The last event has been delivered provisionally, and this is its id. */
        void provisional(byte[] id) {
            byte @Nullable [] @Nullable [] all = ids;
            if (all == null || all.length < events) {
                all = all == null ? new byte[offset.length][] : Arrays.copyOf(all, offset.length);
                ids = all;
            }
            all[events - 1] = id;
        }

        /** Gives back what was built and not handed over. */
        void discard() {
            ws.release();
            ByteBuf s = sse;
            if (s != null) {
                s.release();
            }
            ByteBuf d = deflated;
            if (d != null) {
                d.release();
            }
            reset();
        }

        /** Starts over; the buffers belong to somebody else now. */
        void reset() {
            Arrays.fill(interest, 0, segments, null);
            segments = 0;
            events = 0;
            subjects = null; // the batch has it now
            ids = null; // the batch has it now
            ws = io.netty.buffer.Unpooled.EMPTY_BUFFER;
            sse = null;
            deflated = null;
        }
    }
}

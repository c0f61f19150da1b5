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
    private final ByteBuf ws;
    private final @Nullable ByteBuf sse;
    private final int segments;
    private final Interest[] interest;
    private final int[] firstEvent; // per segment, index into the event arrays; one more at the end
    private final long[] offset; // per event
    private final int[] wsEnd; // per event, index in ws after its frame
    private final int[] sseEnd; // per event, index in sse after its block; empty without event streams
    private final Tail tail;
    private final int[] partitions;
    private final long[] ends;

    LoopBatch(Builder b, Tail tail, int[] partitions, long[] ends) {
        this.ws = b.ws;
        this.sse = b.sse;
        this.segments = b.segments;
        this.interest = Arrays.copyOf(b.interest, b.segments);
        this.firstEvent = Arrays.copyOf(b.firstEvent, b.segments + 1);
        this.firstEvent[b.segments] = b.events;
        this.offset = Arrays.copyOf(b.offset, b.events);
        this.wsEnd = Arrays.copyOf(b.wsEnd, b.events);
        this.sseEnd = b.sse == null ? NONE : Arrays.copyOf(b.sseEnd, b.events);
        this.tail = tail;
        this.partitions = partitions;
        this.ends = ends;
    }

    private LoopBatch(LoopBatch of, int segment) {
        int first = of.firstEvent[segment];
        int end = of.firstEvent[segment + 1];
        int wsFrom = first == 0 ? 0 : of.wsEnd[first - 1];
        this.ws = of.ws.copy(wsFrom, of.wsEnd[end - 1] - wsFrom);
        this.segments = 1;
        this.interest = new Interest[] {of.interest[segment]};
        this.firstEvent = new int[] {0, end - first};
        this.offset = Arrays.copyOfRange(of.offset, first, end);
        this.wsEnd = less(Arrays.copyOfRange(of.wsEnd, first, end), wsFrom);
        ByteBuf s = of.sse;
        if (s == null) {
            this.sse = null;
            this.sseEnd = NONE;
        } else {
            int sseFrom = first == 0 ? 0 : of.sseEnd[first - 1];
            this.sse = s.copy(sseFrom, of.sseEnd[end - 1] - sseFrom);
            this.sseEnd = less(Arrays.copyOfRange(of.sseEnd, first, end), sseFrom);
        }
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
        return new LoopBatch(this, segment);
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

    /** Index of the segment's first event above this offset; {@link #events} if there is none. */
    public int firstAbove(int segment, long position) {
        int i = firstEvent[segment];
        int end = firstEvent[segment + 1];
        while (i < end && offset[i] <= position) {
            i++;
        }
        return i - firstEvent[segment];
    }

    /** Bytes of the segment in WebSocket framing. */
    public int wsBytes(int segment) {
        int first = firstEvent[segment];
        return wsEnd[firstEvent[segment + 1] - 1] - (first == 0 ? 0 : wsEnd[first - 1]);
    }

    /** The segment's WebSocket frames from this event on; the caller owns the returned buffer. */
    public ByteBuf ws(int segment, int fromEvent) {
        int first = firstEvent[segment] + fromEvent;
        int from = first == 0 ? 0 : wsEnd[first - 1];
        return ws.retainedSlice(from, wsEnd[firstEvent[segment + 1] - 1] - from);
    }

    /** Whether the WebSocket frames lie at an address. */
    public boolean isDirect() {
        return ws.hasMemoryAddress();
    }

    /** The address of the segment's WebSocket frames; valid while the batch is. */
    public long wsAddress(int segment) {
        int first = firstEvent[segment];
        return ws.memoryAddress() + (first == 0 ? 0 : wsEnd[first - 1]);
    }

    /** The segment's WebSocket frames but for this many bytes at their start; the caller owns the returned buffer. */
    public ByteBuf wsRest(int segment, int skip) {
        int first = firstEvent[segment];
        int from = (first == 0 ? 0 : wsEnd[first - 1]) + skip;
        return ws.retainedSlice(from, wsEnd[firstEvent[segment + 1] - 1] - from);
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
        ws.retain();
        if (sse != null) {
            sse.retain();
        }
    }

    /** Gives the buffers back. */
    public void release() {
        ws.release();
        if (sse != null) {
            sse.release();
        }
    }

    /** Collects a batch for one loop, on the tailer; used again for the next batch. */
    static final class Builder {
        ByteBuf ws = io.netty.buffer.Unpooled.EMPTY_BUFFER;

        @Nullable
        ByteBuf sse;

        int segments;
        int events;
        Interest[] interest = new Interest[16];
        int[] firstEvent = new int[17];
        long[] offset = new long[64];
        int[] wsEnd = new int[64];
        int[] sseEnd = new int[64];

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

        void event(long o, int wsIndex, int sseIndex) {
            if (events == offset.length) {
                offset = Arrays.copyOf(offset, events * 2);
                wsEnd = Arrays.copyOf(wsEnd, events * 2);
                sseEnd = Arrays.copyOf(sseEnd, events * 2);
            }
            offset[events] = o;
            wsEnd[events] = wsIndex;
            sseEnd[events++] = sseIndex;
        }

        /** Gives back what was built and not handed over. */
        void discard() {
            ws.release();
            ByteBuf s = sse;
            if (s != null) {
                s.release();
            }
            reset();
        }

        /** Starts over; the buffers belong to somebody else now. */
        void reset() {
            Arrays.fill(interest, 0, segments, null);
            segments = 0;
            events = 0;
            ws = io.netty.buffer.Unpooled.EMPTY_BUFFER;
            sse = null;
        }
    }
}

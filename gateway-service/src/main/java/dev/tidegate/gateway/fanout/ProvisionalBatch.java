package dev.tidegate.gateway.fanout;

import io.netty.buffer.ByteBuf;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Copies of the Redis tier to be delivered now, in order, encoded once for all loops: each takes of it what it wants.
 * Without cursors, so without anything that a position could be made of. Immutable; reference counted through its
 * buffers, one reference for each loop.
 */
public final class ProvisionalBatch {
    private final ByteBuf ws;
    private final ByteBuf sse; // empty if no event stream wants any of it
    private final Entry[] entries;

    /**
     * @param id null of an ephemeral event
     * @param wsEnd where its WebSocket frame ends
     * @param sseEnd where its block of an event stream ends
     */
    record Entry(Interest interest, byte @Nullable [] id, int wsEnd, int sseEnd) {}

    ProvisionalBatch(ByteBuf ws, ByteBuf sse, List<Entry> entries) {
        this.ws = ws;
        this.sse = sse;
        this.entries = new ArrayList<>(entries).toArray(new Entry[0]);
    }

    /** Number of events. */
    public int events() {
        return entries.length;
    }

    /** An event's channel. */
    public Interest interest(int event) {
        return entries[event].interest;
    }

    /** An event's id, by which its record is recognised; null if none is to come, since it is ephemeral. */
    public byte @Nullable [] id(int event) {
        return entries[event].id;
    }

    /** An event's WebSocket frame; the caller owns the returned buffer. */
    public ByteBuf ws(int event) {
        int from = event == 0 ? 0 : entries[event - 1].wsEnd;
        return ws.retainedSlice(from, entries[event].wsEnd - from);
    }

    /** An event's whole block of an event stream, which has no {@code id:} line; the caller owns the returned buffer. */
    public ByteBuf sse(int event) {
        int from = event == 0 ? 0 : entries[event - 1].sseEnd;
        return sse.retainedSlice(from, entries[event].sseEnd - from);
    }

    /** One reference more. */
    void retain() {
        ws.retain();
        sse.retain();
    }

    /** Gives a reference back. */
    public void release() {
        ws.release();
        sse.release();
    }
}

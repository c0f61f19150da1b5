package dev.tidegate.gateway.fanout;

import org.jspecify.annotations.Nullable;

/**
 * One channel that somebody on this gateway subscribes to: which event loops want it, and what the tailer knows of it.
 *
 * <p>Threads: {@link #join} and {@link #leave} are called by event loops, one at a time per channel (the object's
 * monitor; nothing else is ever locked inside it); the fields marked so belong to the tailer; {@link #wsLoops} and
 * {@link #sseLoops} are read by the tailer without a lock.
 *
 * <p>{@code base} makes the first {@code prev} of a channel true without a look-up. It is the position that the first
 * loop to join read <em>after</em> its interest was visible, so every subscriber's own position is {@code >= base}. A
 * record at or below {@code base} is covered by every subscriber's position (see {@link Tail} for why) and needs no
 * delivery; the first record above it may name {@code base} as its {@code prev}. The tailer may see the interest before
 * {@code base} is written; it then takes the monitor once, which the joining loop holds for a few instructions.
 */
public final class Interest {
    static final long UNKNOWN = Long.MIN_VALUE;

    /** The channel's name, as the key of its records. */
    final byte[] name;

    /** The only partition in which records of this channel count. */
    final int partition;

    /** Per loop, that loop's own channel object; an element is written and read by its loop alone. */
    private final @Nullable Object[] perLoop;

    /** Bits of the loops with WebSocket subscribers. */
    volatile long wsLoops;

    /** Bits of the loops with event-stream subscribers. */
    volatile long sseLoops;

    /**
     * Bits of the loops some of whose WebSocket subscribers take compressed frames. A hint, under no rule of order: a
     * batch that was made before it was seen has plain frames only, which those subscribers take as well.
     */
    volatile long deflateLoops;

    /** What the channel's namespace does with copies; the same for whoever looks it up first. */
    @Nullable
    Delivery delivery;

    private volatile long base = UNKNOWN;
    private boolean dead; // under the monitor

    // Of the tailer thread alone:
    long lastOffset = UNKNOWN;
    int stagedHead = -1;
    int stagedTail = -1;

    Interest(byte[] name, int partition, int loops) {
        this.name = name;
        this.partition = partition;
        this.perLoop = new Object[loops];
    }

    /** The partition of the channel's records. */
    public int partition() {
        return partition;
    }

    /** What the loop of this index attached, on that loop. */
    public @Nullable Object attachment(int loop) {
        return perLoop[loop];
    }

    /** Attaches the loop's own channel object, on that loop. */
    public void attach(int loop, @Nullable Object channel) {
        perLoop[loop] = channel;
    }

    /** Notes whether some of the loop's WebSocket subscribers take compressed frames; on that loop. */
    public synchronized void deflate(int loop, boolean wanted) {
        long bit = 1L << loop;
        deflateLoops = wanted ? deflateLoops | bit : deflateLoops & ~bit;
    }

    /** Makes a loop's interest visible, then reads the position; {@link Tail#RETRY} if this object has been removed meanwhile. */
    synchronized long join(long loopBit, boolean sse, Tail tail) {
        if (dead) {
            return Tail.RETRY;
        }
        if (sse) {
            sseLoops |= loopBit;
        } else {
            wsLoops |= loopBit;
        }
        long position = tail.positionAfterRegistering(partition);
        if (base == UNKNOWN) {
            base = position;
        }
        return position;
    }

    /** Takes a loop's interest back; true if nobody is left, and the object is dead. */
    synchronized boolean leave(long loopBit, boolean sse) {
        if (sse) {
            sseLoops &= ~loopBit;
        } else {
            wsLoops &= ~loopBit;
            deflateLoops &= ~loopBit;
        }
        dead = wsLoops == 0 && sseLoops == 0;
        return dead;
    }

    /** On the tailer: the {@code prev} of a record, or {@link #UNKNOWN} if the record needs no delivery. */
    long prevOf(long offset) {
        if (lastOffset != UNKNOWN) {
            return lastOffset;
        }
        long b = base;
        if (b == UNKNOWN) {
            synchronized (this) {
                b = base;
            }
        }
        return offset <= b ? UNKNOWN : b;
    }
}

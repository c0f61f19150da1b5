package dev.tidegate.replay.recent;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * The memory under a {@link RecentLog}: a ring of equal segments outside the heap, addressed by positions that only grow.
 * A segment is taken from the operating system when the ring first reaches it, so a service without traffic costs
 * nothing. It outlives the log: when the topic is recreated the next log is written over it.
 *
 * <p>Segments are published to readers with the positions that lie in them (see {@link RecentLog}); the memory goes back
 * when nothing refers to it any more.
 */
public final class RingMemory {
    /** Largest ring: distances inside it are stored in 32 bits, in units of 8 bytes. */
    public static final long MAX_BYTES = 16L << 30;

    private static final int MIN_SEGMENT = 1 << 16;
    private static final int MAX_SEGMENT = 1 << 24;

    /** A segment's share of the ring: what is lost at the end of each is then small beside the whole. */
    private static final int SEGMENTS = 32;

    private final MemorySegment[] segments;
    private final int shift;
    private final long mask;

    private RingMemory(int count, int shift) {
        this.segments = new MemorySegment[count];
        Arrays.fill(segments, MemorySegment.NULL);
        this.shift = shift;
        this.mask = (1L << shift) - 1;
    }

    /**
     * A ring of at most {@code budget} bytes that can hold records of {@code maxRecordBytes}.
     *
     * @throws IllegalArgumentException if the budget is too small for two segments, or larger than {@link #MAX_BYTES}
     */
    public static RingMemory of(long budget, int maxRecordBytes) {
        long segment = Math.clamp(Long.highestOneBit(budget / SEGMENTS), MIN_SEGMENT, MAX_SEGMENT);
        while (segment < maxRecordBytes) {
            segment <<= 1;
        }
        long count = budget / segment;
        if (count < 2 || budget > MAX_BYTES) {
            throw new IllegalArgumentException(budget + " bytes (expected: " + 2 * segment + " to " + MAX_BYTES
                    + " with records of up to " + maxRecordBytes + " bytes)");
        }
        return new RingMemory((int) count, Long.numberOfTrailingZeros(segment));
    }

    /** Bytes in all. */
    public long capacity() {
        return (long) segments.length << shift;
    }

    /** Bytes taken from the operating system so far. */
    public long allocated() {
        long bytes = 0;
        for (MemorySegment s : segments) {
            bytes += s.byteSize();
        }
        return bytes;
    }

    long segmentBytes() {
        return mask + 1;
    }

    /** The segment a position lies in. */
    MemorySegment segment(long position) {
        return segments[index(position)];
    }

    /** The place of a position in its segment. */
    long place(long position) {
        return position & mask;
    }

    /** Makes sure that the segment exists; the writer's. */
    void reach(long position) {
        int i = index(position);
        if (segments[i].byteSize() == 0) {
            // Freed by the collector once no log and no reader has it: a reader never meets unmapped memory.
            segments[i] = Arena.ofAuto().allocate(mask + 1, Long.BYTES);
        }
    }

    private int index(long position) {
        return (int) ((position >>> shift) % segments.length);
    }
}

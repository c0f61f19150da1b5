package dev.tidegate.replay.recent;

import static dev.tidegate.replay.recent.RecordLayout.*;

import dev.tidegate.protocol.FanoutRecord;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLongArray;
import org.jspecify.annotations.Nullable;

/**
 * The last part of every partition of one fan-out topic, bounded in bytes. One ring for all partitions: records lie in it in
 * the order they were read, so what is kept of each partition reaches back equally far in time, and a partition without
 * traffic costs nothing. Records that are not events are not kept; they only move the partition's position.
 *
 * <p><b>Chains.</b> Each record knows the distance to the previous record of its channel, and one further jump back, chosen as
 * in a skew-binary random access list (E. W. Myers, 1983): with two links a record, the record at any depth or offset of a chain
 * of n is found in O(log n) steps. {@link ChannelTable} knows each channel's newest record. So "what is after o" costs O(events
 * missed), however many records of other channels came later, and the first page of a million missed events costs no
 * walk through the million.
 *
 * <p><b>What is known.</b> {@code since} of a record is a true statement for ever: no event of the channel lies strictly
 * between it and the record. It is the offset of the previous event where that was still kept when the record came, else the
 * oldest offset kept then, less one. So memory covers (after, upTo] of a channel if either every record of the partition from
 * after + 1 on is kept, or the channel's chain reaches back to a record whose {@code since} is at most {@code after}.
 *
 * <p><b>Threads and memory order.</b> One writer; {@link #append}, {@link #advance}, {@link #startAt} and {@link #retire} are its. Readers
 * ({@link RecentReader}) are any number of threads; they take no lock and never hold up the writer.
 * <ul>
 * <li><i>Seeing enough:</i> the writer writes a record (plain stores), then its place in the table (release), and when a batch is done
 *     the partition's position (release). A reader reads the position first (acquire), so it sees all records up to it.
 *     Records do not change once they are published, but for a flag that only the writer reads.
 * <li><i>Never seeing overwritten bytes:</i> the protocol of a sequence lock, as in {@link java.util.concurrent.locks.StampedLock}'s
 *     optimistic reads. Before the writer overwrites, it raises {@code oldest} above all that it gives up, and a store-store fence keeps
 *     the overwriting stores behind that. A reader copies what it needs, and only then, behind a load-load fence, reads {@code oldest}: if the
 *     record is still at or above it, none of the bytes copied can come from a store made after it was given up. If not, what was
 *     copied is thrown away. Lengths and links are used only after the header they were read from has passed this check, so a torn
 *     header never leads a reader astray. The memory itself stays mapped as long as any reader can reach it ({@link RingMemory}).
 * <li><i>Knowing what is gone:</i> before a record is given up, the writer raises its partition's {@link #firstKept} and removes the channel
 *     from the table if it was the newest. A reader that found nothing in the table reads {@code firstKept} afterwards.
 * </ul>
 */
public final class RecentLog {
    /** Bytes freed at a time when the ring is full, so that readers are not told of every record. */
    private static final long SLACK = 1 << 16;

    private static final byte[] NOTHING = new byte[0];
    private static final VarHandle OLDEST;

    static {
        try {
            OLDEST = MethodHandles.lookup().findVarHandle(RecentLog.class, "oldest", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final RingMemory ring;
    private final ChannelTable table = new ChannelTable();
    private final ChannelTable.Names names = this::isOf;
    private final AtomicLongArray positions;
    private final AtomicLongArray firstKept;

    @SuppressWarnings("unused") // through OLDEST
    private long oldest;

    // The writer's own.
    private long head;
    private long tail;
    private long records;
    private long evicted;

    private volatile Usage usage = new Usage(0, 0, 0, 0, 0);

    /**
     * What is in use, as of the last {@link #advance}.
     *
     * @param records records kept
     * @param evicted records that had to make room since the log was made
     * @param bytes bytes of the ring that hold records
     * @param channels channels that have a record here
     * @param tableBytes bytes of the channel table; on the heap, beside the ring
     */
    public record Usage(long records, long evicted, long bytes, int channels, long tableBytes) {}

    /** A log for a topic of so many partitions. Nothing is covered until {@link #startAt} was called for a partition. */
    public RecentLog(RingMemory ring, int partitions) {
        this.ring = ring;
        this.positions = new AtomicLongArray(partitions);
        this.firstKept = new AtomicLongArray(partitions);
        for (int p = 0; p < partitions; p++) {
            positions.setPlain(p, Long.MIN_VALUE);
            firstKept.setPlain(p, Long.MAX_VALUE);
        }
        // One lap ahead, so that a position is never too small for the table's special words.
        head = ring.capacity();
        tail = head;
        OLDEST.setRelease(this, tail);
    }

    /** The most bytes that an event takes here. */
    public static int maxRecordBytes(int maxPayloadBytes) {
        return size(maxPayloadBytes + 255 + 2 * FanoutRecord.MAX_NAME_BYTES + FanoutRecord.MAX_CONTENT_TYPE_BYTES);
    }

    /** About how many bytes an event with so many bytes in its key, value and headers takes here. */
    public static int recordBytes(int bytes) {
        return size(bytes);
    }

    /** The number of partitions. */
    public int partitions() {
        return positions.length();
    }

    /** Offset of the last record of the partition that has been read, event or not; very small before the first. */
    public long position(int partition) {
        return positions.getAcquire(partition);
    }

    /** Every event of the partition from this offset up to its position is kept. */
    public long firstKept(int partition) {
        return firstKept.getAcquire(partition);
    }

    /** What is in use. */
    public Usage usage() {
        return usage;
    }

    /** A reader of this log, for one thread at a time. */
    public RecentReader reader() {
        return new RecentReader(this);
    }

    /** Begins a partition: reading starts with the record at {@code offset}. */
    public void startAt(int partition, long offset) {
        firstKept.setRelease(partition, offset);
        positions.setRelease(partition, offset - 1);
    }

    /** Tells readers that all events of the partition up to this offset have been appended. */
    public void advance(int partition, long offset) {
        positions.setRelease(partition, offset);
        usage = new Usage(records, evicted, head - tail, table.channels(), table.bytes());
    }

    /** Appends an event, i.e. a record that has passed {@link FanoutRecord#check} for the bound the ring was made for. */
    public void append(int partition, long offset, FanoutRecord record) {
        byte[] channel = record.channel();
        byte[] id = orNothing(record.id());
        byte[] type = orNothing(record.type());
        byte[] contentType = orNothing(record.contentType());
        byte[] payload = record.payload();
        int size = size(channel.length + id.length + type.length + contentType.length + payload.length);
        long position = reserve(size);
        int hash = ChannelKey.hash(channel);
        int slot = table.find(hash, channel, tail, names);
        MemorySegment s = ring.segment(position);
        long at = ring.place(position);
        putInt(s, at + SIZE, size);
        putLong(s, at + OFFSET, offset);
        putLong(s, at + TIME, record.timeMillis());
        putInt(s, at + PARTITION, partition);
        putInt(s, at + PAYLOAD, payload.length);
        putLength(s, at + CHANNEL, channel.length);
        putLength(s, at + ID, id.length);
        putLength(s, at + TYPE, type.length);
        putLength(s, at + CONTENT_TYPE, contentType.length);
        putLength(s, at + KIND, code(record.payloadKind()));
        putLength(s, at + SUPERSEDED, 0);
        long to = at + HEADER;
        putBytes(s, to, channel);
        putBytes(s, to += channel.length, id);
        putBytes(s, to += id.length, type);
        putBytes(s, to += type.length, contentType);
        putBytes(s, to + contentType.length, payload);
        link(s, at, position, partition, slot);
        if (slot < 0) {
            table.add(hash, position, offset);
        } else {
            table.update(slot, position, offset);
        }
        head = position + size;
        records++;
    }

    /** Ends this log: readers that still have it find nothing covered, and its ring may be written by another one. */
    public void retire() {
        for (int p = 0; p < firstKept.length(); p++) {
            firstKept.setRelease(p, Long.MAX_VALUE);
        }
        table.clear();
        OLDEST.setRelease(this, Long.MAX_VALUE);
        VarHandle.fullFence();
        tail = head;
        records = 0;
        usage = new Usage(0, evicted, 0, 0, table.bytes());
    }

    /** Chains a record to the one that was its channel's newest, in {@code slot} (none if negative). */
    private void link(MemorySegment s, long at, long position, int partition, int slot) {
        if (slot < 0) {
            putInt(s, at + DEPTH, 0);
            putLong(s, at + SINCE, firstKept.getPlain(partition) - 1);
            putDistance(s, at + PREVIOUS, 0);
            putDistance(s, at + JUMP, 0);
            return;
        }
        long previous = table.position(slot, tail);
        MemorySegment ps = ring.segment(previous);
        long pat = ring.place(previous);
        putInt(s, at + DEPTH, getInt(ps, pat + DEPTH) + 1);
        putLong(s, at + SINCE, getLong(ps, pat + OFFSET));
        putDistance(s, at + PREVIOUS, position - previous);
        putDistance(s, at + JUMP, position - jumpFrom(previous));
        putLength(ps, pat + SUPERSEDED, 1);
    }

    /**
     * Where a new record behind {@code p} jumps to: two neighbouring jumps of the same length become one, else the jump is a
     * single step. Jumps to records that are gone are of no use; a wrong choice costs steps, never correctness.
     */
    private long jumpFrom(long p) {
        long j = jumpOf(p);
        if (j < tail) {
            return p;
        }
        long jj = jumpOf(j);
        return jj >= tail && depth(p) - depth(j) == depth(j) - depth(jj) ? jj : p;
    }

    private long jumpOf(long position) {
        long distance = getDistance(ring.segment(position), ring.place(position) + JUMP);
        return distance == 0 ? -1 : position - distance;
    }

    private int depth(long position) {
        return getInt(ring.segment(position), ring.place(position) + DEPTH);
    }

    /** Makes room for a record, all in one segment, and returns its position. */
    private long reserve(int size) {
        long position = head;
        long left = ring.segmentBytes() - ring.place(position);
        if (left < size) {
            giveUpTo(position + left + size);
            putInt(ring.segment(position), ring.place(position) + SIZE, (int) -left);
            head = position + left;
            position = head;
        } else {
            giveUpTo(position + size);
        }
        ring.reach(position);
        return position;
    }

    /** Gives up the oldest records, so that the ring can be written up to {@code end}. */
    private void giveUpTo(long end) {
        long least = end - ring.capacity();
        if (tail >= least) {
            return;
        }
        long goal = Math.min(head, least + Math.min(SLACK, ring.segmentBytes() / 4));
        long gone = 0;
        while (tail < goal) {
            MemorySegment s = ring.segment(tail);
            long at = ring.place(tail);
            int size = getInt(s, at + SIZE);
            if (size < 0) {
                tail -= size;
                continue;
            }
            firstKept.setRelease(getInt(s, at + PARTITION), getLong(s, at + OFFSET) + 1);
            if (getLength(s, at + SUPERSEDED) == 0) {
                removeChannel(s, at);
            }
            tail += size;
            gone++;
        }
        evicted += gone;
        records -= gone;
        OLDEST.setRelease(this, tail);
        VarHandle.storeStoreFence();
    }

    private void removeChannel(MemorySegment s, long at) {
        byte[] channel = new byte[getLength(s, at + CHANNEL)];
        getBytes(s, at + HEADER, channel, channel.length);
        table.remove(table.find(ChannelKey.hash(channel), channel, tail, names));
    }

    RingMemory ring() {
        return ring;
    }

    ChannelTable table() {
        return table;
    }

    ChannelTable.Names names() {
        return names;
    }

    /** The oldest position that is held. */
    long oldest() {
        return (long) OLDEST.getAcquire(this);
    }

    /** Whether what was read from {@code position} until now was the record there, and not what overwrites it. */
    boolean stillHeld(long position) {
        VarHandle.loadLoadFence();
        return (long) OLDEST.getOpaque(this) <= position;
    }

    /** Whether the record at a position is of this channel. */
    boolean isOf(long position, byte[] channel) {
        MemorySegment s = ring.segment(position);
        long at = ring.place(position);
        return getLength(s, at + CHANNEL) == channel.length
                && at + HEADER + channel.length <= s.byteSize()
                && matches(s, at + HEADER, channel)
                && stillHeld(position);
    }

    private static byte[] orNothing(byte @Nullable [] b) {
        return b == null ? NOTHING : b;
    }
}

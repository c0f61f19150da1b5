package dev.tidegate.gateway.fanout;

import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.IntStream;
import org.apache.kafka.common.utils.Utils;
import org.jspecify.annotations.Nullable;

/**
 * The tail of one incarnation of the fan-out topic: its epoch, the positions the tailer has reached, and the interest
 * table. A recreated topic gets a new one, and so does one to which partitions were added ({@link #grown}).
 *
 * <p><b>The race between subscribing and tailing.</b> No record may fall between "the tailer looked, nobody wants it" and
 * "after the subscriber's position". The tailer, for a batch that ends at E: writes position = E, full fence, looks
 * interest up. A loop: writes its interest, full fence, reads the position P. Of two such threads at least one sees the
 * other's write (Dekker): either the tailer's look-up sees the interest, and the record is dispatched, or the loop reads
 * P >= E, and P covers the record. A record for which both hold is dropped by its offset, by the subscriber. Tested with
 * jcstress; subscribing never waits for Kafka.
 */
public final class Tail {
    /** Returned when a channel's interest was removed while joining it. */
    static final long RETRY = -2;

    private final String epoch;
    private final int partitions;
    private final List<Layout> former; // the newest first; one for each time that partitions were added
    private final int loops;
    private final AtomicLongArray positions;
    private final AtomicLongArray dispatched;
    private final ConcurrentHashMap<Key, Interest> interests = new ConcurrentHashMap<>();
    private final Key probe = new Key(new byte[0]); // of the tailer thread

    /**
     * The tail of a topic.
     *
     * @param start per partition the offset of the last record before the tail, -1 if there is none
     * @param loops number of event loops, at most 64
     */
    public Tail(String epoch, long[] start, int loops) {
        this(epoch, start, loops, List.of());
    }

    /**
     * The tail of a topic that once had fewer partitions.
     *
     * @param former what is known of that, the newest first
     */
    public Tail(String epoch, long[] start, int loops, List<Layout> former) {
        if (loops < 1 || loops > Long.SIZE) {
            throw new IllegalArgumentException("loops: " + loops + " (expected: 1 to 64)");
        }
        this.epoch = epoch;
        this.partitions = start.length;
        this.former = List.copyOf(former);
        this.loops = loops;
        this.positions = new AtomicLongArray(start);
        this.dispatched = new AtomicLongArray(start);
    }

    /**
     * A number of partitions that the topic had before some were added, which moved channels from one to another.
     *
     * @param partitions how many it had
     * @param end per partition an offset at which channels still lay as they did then, so that of a channel that has moved
     *     there since, nothing stands at or below it; partitions beyond the end of the array, and all where it is not known,
     *     count from their first record on
     */
    public record Layout(int partitions, List<Long> end) {
        public Layout {
            end = List.copyOf(end);
        }

        private long end(int partition) {
            return partition < end.size() ? end.get(partition) : -1;
        }
    }

    /**
     * The tail of the same topic with more partitions.
     *
     * @param start per partition of now the offset of the last record before the tail
     * @param end what {@link Layout} says of the layout that is over
     */
    public Tail grown(long[] start, List<Long> end) {
        List<Layout> all = new ArrayList<>(former.size() + 1);
        all.add(new Layout(partitions, end));
        all.addAll(former);
        return new Tail(epoch, start, loops, all);
    }

    /** The numbers of partitions the topic has and is known to have had, the newest first. */
    public List<Integer> layouts() {
        List<Integer> all = new ArrayList<>(former.size() + 1);
        all.add(partitions);
        former.forEach(l -> all.add(l.partitions()));
        return all;
    }

    /**
     * Where a position in a partition that this channel has left goes on in its partition of now: at that offset nothing of
     * the channel stands behind it there. What the channel still got in the old partition is not covered, hence a gap.
     *
     * @return null if the channel is not known to have lived in that partition
     */
    public @Nullable Long movedTo(byte[] channel, int from) {
        int home = partitionOf(channel);
        Long earliest = null;
        for (Layout l : former) {
            if (from != home && partitionOf(channel, l.partitions()) == from) {
                earliest = l.end(home); // of several the oldest, which comes last
            }
        }
        return earliest;
    }

    /** The topic's epoch. */
    public String epoch() {
        return epoch;
    }

    /** The topic's number of partitions. */
    public int partitions() {
        return partitions;
    }

    /** The partition in which records of this channel count: that of Kafka's default partitioner (murmur2). */
    public int partitionOf(byte[] channel) {
        return partitionOf(channel, partitions);
    }

    /** The partition of a key among this many. */
    public static int partitionOf(byte[] channel, int partitions) {
        return Utils.toPositive(Utils.murmur2(channel)) % partitions;
    }

    /** The offset of the last record of the partition that the tailer has passed or is about to dispatch. */
    public long position(int partition) {
        return positions.get(partition);
    }

    /** The offset up to which every record has been handed to the loops' queues. */
    public long dispatched(int partition) {
        return dispatched.get(partition);
    }

    /** The same for each partition. */
    public List<Long> allDispatched() {
        return IntStream.range(0, partitions).mapToObj(dispatched::get).toList();
    }

    /** Number of channels with local subscribers. */
    public int channels() {
        return interests.size();
    }

    /** A channel's interest together with the position from which this loop has it. */
    public record Joined(Interest interest, long position) {}

    /** Registers a loop's interest in a channel and returns the position after which it will see every record. */
    public Joined join(byte[] channel, int loop, boolean sse) {
        Key key = new Key(channel);
        while (true) {
            Interest interest = interests.computeIfAbsent(key, k -> new Interest(channel, partitionOf(channel), loops));
            long position = interest.join(1L << loop, sse, this);
            if (position != RETRY) {
                return new Joined(interest, position);
            }
        }
    }

    /** Takes a loop's interest back. */
    public void leave(Interest interest, int loop, boolean sse) {
        if (interest.leave(1L << loop, sse)) {
            interests.remove(new Key(interest.name), interest);
        }
    }

    long positionAfterRegistering(int partition) {
        VarHandle.fullFence();
        return positions.get(partition);
    }

    /** On the tailer: a batch of this partition, ending at this offset, is about to be looked up. */
    void advance(int partition, long end) {
        if (end > positions.getPlain(partition)) { // a batch that failed is read once more: subscribers may rely on it
            positions.setRelease(partition, end);
        }
    }

    /** On the tailer: after {@link #advance} for every partition of the batch, before the first look-up. */
    static void beforeLookUp() {
        VarHandle.fullFence();
    }

    /** On the tailer: everything up to this offset lies in the loops' queues. */
    void markDispatched(int partition, long end) {
        if (end > dispatched.getPlain(partition)) {
            dispatched.setRelease(partition, end);
        }
    }

    /** On the tailer: who wants this channel; allocates nothing. */
    @Nullable
    Interest find(byte[] channel) {
        probe.set(channel);
        return interests.get(probe);
    }

    /** The same for any thread, at the price of a few objects. */
    @Nullable
    Interest lookUp(byte[] channel) {
        return interests.get(new Key(channel));
    }

    /** Bytes as a key. The tailer's probe is the only mutable one, and never enters the map. */
    private static final class Key {
        private byte[] bytes;
        private int hash;

        Key(byte[] bytes) {
            this.bytes = bytes;
            this.hash = Arrays.hashCode(bytes);
        }

        void set(byte[] newBytes) {
            bytes = newBytes;
            hash = Arrays.hashCode(newBytes);
        }

        @Override
        public int hashCode() {
            return hash;
        }

        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Key k && hash == k.hash && Arrays.equals(bytes, k.bytes);
        }
    }
}

package dev.tidegate.gateway.fanout;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * From records to one batch per event loop. A record that nobody here wants costs one look-up by its key's bytes and
 * allocates nothing; a record that is wanted is checked and encoded once per wire format, whatever the number of its
 * subscribers, and the records of one channel are laid behind each other.
 *
 * <p>Belongs to the tailer thread; a batch is {@link #begin}, {@link #moved} for each partition, {@link #lookUp}, then
 * {@link #record} for each record, {@link #end}.
 */
public final class FanoutDispatcher {
    /** How long the loops may take to move to a recreated topic before that is reported as a fault. */
    private static final long MOVE_TIMEOUT_SECONDS = 30;

    private static final Logger LOG = LoggerFactory.getLogger(FanoutDispatcher.class);

    private final List<? extends ShardInbox> shards;
    private final ByteBufAllocator allocator;
    private final int maxPayloadBytes;
    private final GatewayMetrics metrics;

    private final FanoutRecord view = new FanoutRecord();
    private final FrameBuffer json = new FrameBuffer(4096);
    private final FrameBuffer ws = new FrameBuffer(16 * 1024);
    private final FrameBuffer sse = new FrameBuffer(4096);
    private final FrameBuffer deflated = new FrameBuffer(4096);
    private final @Nullable FrameDeflater deflater;
    private final LoopBatch.Builder[] builders;
    private final UndeliverableLog undeliverableLog = new UndeliverableLog();

    // The records of the batch that are wanted, linked per channel in arrival order.
    private @Nullable ConsumerRecord<byte[], byte[]>[] staged = newStaged(256);
    private int[] next = new int[256];
    private byte @Nullable [] @Nullable [] provisionalIds; // of those delivered provisionally; null if there is none
    private int stagedCount;
    private Interest[] touched = new Interest[64];
    private long[] lastOffsetBefore = new long[64]; // of each of them, before this batch
    private int touchedCount;

    private int[] movedPartitions = new int[16];
    private long[] movedTo = new long[16];
    private int movedCount;
    private int movedBefore; // by the polls before the one under way

    private volatile @Nullable Tail tail;

    /** A dispatcher that compresses nothing. */
    public FanoutDispatcher(
            List<? extends ShardInbox> shards,
            ByteBufAllocator allocator,
            int maxPayloadBytes,
            GatewayMetrics metrics) {
        this(shards, allocator, maxPayloadBytes, metrics, null);
    }

    private @Nullable HedgeRing ring;
    private Deliveries deliveries = Deliveries.ORDERED;
    private LongSupplier clock = System::nanoTime;

    /**
     * A dispatcher to these loops.
     *
     * @param shards one per event loop, in the order of their indexes; at most 64
     * @param allocator of the batches' buffers; they are freed on the loops
     * @param maxPayloadBytes a larger payload is not delivered
     * @param deflater frames for subscribers that take compressed ones, used by the tailer alone; null: there are none
     */
    public FanoutDispatcher(
            List<? extends ShardInbox> shards,
            ByteBufAllocator allocator,
            int maxPayloadBytes,
            GatewayMetrics metrics,
            @Nullable FrameDeflater deflater) {
        this.deflater = deflater;
        this.shards = List.copyOf(shards);
        this.allocator = allocator;
        this.maxPayloadBytes = maxPayloadBytes;
        this.metrics = metrics;
        this.builders = new LoopBatch.Builder[shards.size()];
        for (int i = 0; i < builders.length; i++) {
            builders[i] = new LoopBatch.Builder();
        }
    }

    /**
     * Lets records meet the copies of their events that come over Redis; before the tailer starts.
     *
     * @param nanoTime the clock, {@link System#nanoTime} but in a simulation
     */
    public void meet(HedgeRing copies, Deliveries byNamespace, LongSupplier nanoTime) {
        ring = copies;
        deliveries = byNamespace;
        clock = nanoTime;
    }

    /** Number of event loops. */
    public int loops() {
        return builders.length;
    }

    /** The current tail; null before the tailer has found the topic. Any thread. */
    public @Nullable Tail tail() {
        return tail;
    }

    /**
     * Starts on a topic, or moves every subscription to a recreated one, or to the same one with more partitions; returns
     * when every loop has done so.
     */
    public void moveTo(Tail newTail) throws InterruptedException {
        HedgeRing r = ring;
        if (r != null) {
            r.partitions(newTail.partitions());
        }
        CountDownLatch done = new CountDownLatch(shards.size());
        for (ShardInbox shard : shards) {
            shard.moveTo(newTail, done);
        }
        await(done, "move to the topic of epoch " + newTail.epoch());
        tail = newTail; // now: who asks for it before subscribes at a loop that may not have it yet
    }

    /** Records up to {@code position} are gone before they were read: tells the subscribers; returns when told. */
    public void skip(int partition, long position, Gap.Reason reason) throws InterruptedException {
        Tail t = current();
        t.advance(partition, position);
        Tail.beforeLookUp();
        CountDownLatch done = new CountDownLatch(shards.size());
        for (ShardInbox shard : shards) {
            shard.skip(t, partition, position, reason, done);
        }
        await(done, "gap in partition " + partition);
        t.markDispatched(partition, position);
    }

    /**
     * Waits until every loop has delivered what it was handed, or for so long in all: what arrives meanwhile goes out
     * together. Records wait here too, so for copies no time passes meanwhile.
     *
     * @return whether any had to be waited for
     */
    public boolean awaitIdle(long nanos) throws InterruptedException {
        busy();
        try {
            boolean waited = false;
            long deadline = System.nanoTime() + nanos;
            for (ShardInbox shard : shards) {
                waited |= shard.awaitIdle(Math.max(0, deadline - System.nanoTime()));
            }
            return waited;
        } finally {
            idle();
        }
    }

    /**
     * Starts a batch; one that was begun and not ended is forgotten. A batch may hold several polls: for each, {@link #moved}, then {@link #lookUp},
     * then its records.
     */
    public void begin() {
        if (touchedCount > 0) {
            unstage(true); // of a batch that was given up
        }
        movedCount = 0;
        movedBefore = 0;
        busy();
    }

    private void busy() {
        HedgeRing r = ring;
        if (r != null) {
            r.busy(clock.getAsLong());
        }
    }

    /** The tailer waits for Kafka again, or has given a batch up. */
    public void idle() {
        HedgeRing r = ring;
        if (r != null) {
            r.free(clock.getAsLong());
        }
    }

    /** A partition of this batch reaches this offset. */
    public void moved(int partition, long end) {
        current().advance(partition, end);
        // By a former poll of this batch? The first of a batch costs nothing here.
        for (int i = 0; i < movedBefore; i++) {
            if (movedPartitions[i] == partition) {
                movedTo[i] = end;
                return;
            }
        }
        if (movedCount == movedPartitions.length) {
            movedPartitions = Arrays.copyOf(movedPartitions, movedCount * 2);
            movedTo = Arrays.copyOf(movedTo, movedCount * 2);
        }
        movedPartitions[movedCount] = partition;
        movedTo[movedCount++] = end;
    }

    /** All partitions of the batch have been told; look-ups follow. */
    public void lookUp() {
        movedBefore = movedCount;
        Tail.beforeLookUp();
    }

    /** One record, in partition order. */
    public void record(ConsumerRecord<byte[], byte[]> record) {
        byte[] key = record.key();
        if (key == null || key.length == 0) {
            undeliverable(record, FanoutRecord.Undeliverable.NO_KEY);
            return;
        }
        Interest interest = current().find(key);
        if (interest == null) {
            return;
        }
        stage(interest, record);
    }

    /**
     * Encodes what is wanted, hands each loop its batch, and makes the batch's end the dispatched position. Where that
     * fails, nothing has been handed over or noted: the records after {@link Tail#dispatched} are to be given once more.
     */
    public void end(int recordsRead) throws InterruptedException {
        Tail t = current();
        metrics.recordsRead.add(recordsRead);
        if (touchedCount > 0) {
            metrics.recordsWanted.add(stagedCount);
            boolean whole = false;
            try {
                findProvisional();
                for (int i = 0; i < touchedCount; i++) {
                    encode(t, touched[i]);
                }
                whole = true;
            } finally {
                unstage(!whole);
            }
            hand(t);
        }
        for (int i = 0; i < movedCount; i++) {
            t.markDispatched(movedPartitions[i], movedTo[i]);
        }
        tellMoved();
    }

    private void tellMoved() {
        HedgeRing r = ring;
        if (r != null && movedCount > 0) {
            long now = r.now(clock.getAsLong());
            for (int i = 0; i < movedCount; i++) {
                r.moved(movedPartitions[i], now);
            }
        }
    }

    /**
     * Notes the ids of what is wanted, and which of it has been delivered from its copy. Before anything of the batch is
     * encoded: from here on no copy of these is delivered any more.
     */
    private void findProvisional() {
        HedgeRing r = ring;
        if (r == null) {
            return;
        }
        long now = r.now(clock.getAsLong());
        r.lock();
        try {
            for (int i = 0; i < touchedCount; i++) {
                Interest interest = touched[i];
                if (deliveries.of(interest) != Delivery.EPHEMERAL) {
                    findProvisional(r, interest, now);
                }
            }
        } finally {
            r.unlock();
        }
    }

    private void findProvisional(HedgeRing r, Interest interest, long now) {
        for (int i = interest.stagedHead; i >= 0; i = next[i]) {
            ConsumerRecord<byte[], byte[]> record = staged[i];
            byte[] id = record == null || record.partition() != interest.partition ? null : idOf(record);
            if (id != null && r.brought(interest.partition, interest.name, id, now)) {
                byte @Nullable [] @Nullable [] all = provisionalIds;
                if (all == null) {
                    all = new byte[staged.length][];
                    provisionalIds = all;
                }
                all[i] = id;
            }
        }
    }

    /** The id as {@link FanoutRecord} would read it: of several good ones the last. */
    private static byte @Nullable [] idOf(ConsumerRecord<byte[], byte[]> record) {
        byte[] id = null;
        for (Header h : record.headers()) {
            if (h.key().equals(FanoutRecord.HEADER_ID)) {
                byte[] value = h.value();
                if (value != null && FanoutRecord.isName(value)) {
                    id = value;
                }
            }
        }
        return id;
    }

    /** Forgets the staged records; with {@code undo} also what has been made of them. */
    private void unstage(boolean undo) {
        for (int i = 0; i < touchedCount; i++) {
            Interest interest = touched[i];
            interest.stagedHead = -1;
            interest.stagedTail = -1;
            if (undo) {
                interest.lastOffset = lastOffsetBefore[i];
            }
        }
        Arrays.fill(touched, 0, touchedCount, null);
        Arrays.fill(staged, 0, stagedCount, null);
        touchedCount = 0;
        stagedCount = 0;
        provisionalIds = null;
        if (undo) {
            for (LoopBatch.Builder b : builders) {
                b.discard();
            }
        }
    }

    private void stage(Interest interest, ConsumerRecord<byte[], byte[]> record) {
        if (stagedCount == next.length) {
            staged = Arrays.copyOf(staged, stagedCount * 2);
            next = Arrays.copyOf(next, stagedCount * 2);
        }
        int i = stagedCount++;
        staged[i] = record;
        next[i] = -1;
        if (interest.stagedHead < 0) {
            if (touchedCount == touched.length) {
                touched = Arrays.copyOf(touched, touchedCount * 2);
                lastOffsetBefore = Arrays.copyOf(lastOffsetBefore, touchedCount * 2);
            }
            lastOffsetBefore[touchedCount] = interest.lastOffset;
            touched[touchedCount++] = interest;
            interest.stagedHead = i;
        } else {
            next[interest.stagedTail] = i;
        }
        interest.stagedTail = i;
    }

    /** All records of one channel: encoded once, then laid into the batch of each loop that wants the channel. */
    private void encode(Tail t, Interest interest) {
        int head = interest.stagedHead;
        long wsLoops = interest.wsLoops;
        long sseLoops = interest.sseLoops;
        long deflateLoops = deflater == null ? 0 : interest.deflateLoops & wsLoops;
        ws.clear();
        sse.clear();
        deflated.clear();
        boolean started = false;
        for (int i = head; i >= 0; i = next[i]) {
            ConsumerRecord<byte[], byte[]> record = staged[i];
            if (record == null) {
                throw new IllegalStateException("a staged record is gone");
            }
            if (!encode(t, interest, record, sseLoops != 0, deflateLoops != 0)) {
                continue;
            }
            if (!started) {
                started = true;
                startSegments(interest, wsLoops | sseLoops);
            }
            eventToBuilders(record.offset(), wsLoops | sseLoops, sseLoops, deflateLoops);
            subjectToBuilders(view.subject(), wsLoops | sseLoops);
            provisionalToBuilders(i, wsLoops | sseLoops);
        }
        if (started) {
            appendToBuilders(wsLoops | sseLoops, sseLoops, deflateLoops);
        }
    }

    /** Encodes one record behind those before it; false if it is no event of this channel. */
    private boolean encode(
            Tail t, Interest interest, ConsumerRecord<byte[], byte[]> record, boolean forSse, boolean forDeflate) {
        long offset = record.offset();
        if (record.partition() != interest.partition) {
            metrics.misplaced.increment();
            return false;
        }
        long prev = interest.prevOf(offset);
        if (prev == Interest.UNKNOWN) {
            return false;
        }
        view.wrap(record.key(), record.value(), record.timestamp());
        for (Header h : record.headers()) {
            view.header(h.key(), h.value());
        }
        if (view.ignoredHeaders() > 0) {
            metrics.brokenHeaders.increment();
        }
        FanoutRecord.Undeliverable fault = view.check(maxPayloadBytes);
        if (fault != null) {
            undeliverable(record, fault);
            return false;
        }
        int wsSize = ws.size();
        int sseSize = sse.size();
        int deflatedSize = deflated.size();
        try {
            EventFrames.encode(json.clear(), t.epoch(), record.partition(), offset, prev, view, false);
            WireFormats.webSocketText(ws, json);
            if (forSse) {
                WireFormats.sseBlock(sse, view.type(), json);
            }
            if (forDeflate) {
                deflate();
            }
        } catch (RuntimeException e) {
            // A record that passed its check encodes. If one should not, it must not hold up all others for ever.
            LOG.error("Record at partition {} offset {} could not be encoded", record.partition(), offset, e);
            metrics.faults.increment();
            ws.truncate(wsSize);
            sse.truncate(sseSize);
            deflated.truncate(deflatedSize);
            return false;
        }
        interest.lastOffset = offset;
        return true;
    }

    private void deflate() {
        FrameDeflater d = deflater;
        if (d != null) {
            int n = d.append(deflated, json);
            if (n != FrameDeflater.AS_IT_IS) {
                metrics.deflatedFrom.add(json.size());
                metrics.deflatedTo.add(n);
            }
        }
    }

    private void startSegments(Interest interest, long loops) {
        for (long bits = loops; bits != 0; bits &= bits - 1) {
            builders[Long.numberOfTrailingZeros(bits)].startSegment(interest);
        }
    }

    private void eventToBuilders(long offset, long loops, long sseLoops, long deflateLoops) {
        for (long bits = loops; bits != 0; bits &= bits - 1) {
            int loop = Long.numberOfTrailingZeros(bits);
            LoopBatch.Builder b = builders[loop];
            ByteBuf s = b.sse;
            int sseIndex = s == null ? 0 : s.writerIndex();
            boolean wantsSse = (sseLoops >>> loop & 1) != 0;
            ByteBuf d = b.deflated;
            int deflatedIndex = d == null ? 0 : d.writerIndex();
            boolean wantsDeflated = (deflateLoops >>> loop & 1) != 0;
            b.event(
                    offset,
                    b.ws.writerIndex() + ws.size(),
                    wantsSse ? sseIndex + sse.size() : sseIndex,
                    wantsDeflated ? deflatedIndex + deflated.size() : deflatedIndex);
        }
    }

    private void provisionalToBuilders(int stagedIndex, long loops) {
        byte @Nullable [] @Nullable [] all = provisionalIds;
        byte[] id = all == null ? null : all[stagedIndex];
        if (id != null) {
            for (long bits = loops; bits != 0; bits &= bits - 1) {
                builders[Long.numberOfTrailingZeros(bits)].provisional(id);
            }
        }
    }

    private void subjectToBuilders(byte @Nullable [] subject, long loops) {
        if (subject == null) {
            return;
        }
        for (long bits = loops; bits != 0; bits &= bits - 1) {
            builders[Long.numberOfTrailingZeros(bits)].subject(subject);
        }
    }

    private void appendToBuilders(long loops, long sseLoops, long deflateLoops) {
        for (long bits = loops; bits != 0; bits &= bits - 1) {
            LoopBatch.Builder b = builders[Long.numberOfTrailingZeros(bits)];
            if (b.ws.capacity() == 0) {
                b.ws = allocator.directBuffer(Math.max(1024, ws.size()));
            }
            b.ws.writeBytes(ws.array(), 0, ws.size());
        }
        for (long bits = sseLoops; bits != 0; bits &= bits - 1) {
            LoopBatch.Builder b = builders[Long.numberOfTrailingZeros(bits)];
            ByteBuf s = b.sse;
            if (s == null) {
                s = allocator.directBuffer(Math.max(1024, sse.size()));
                b.sse = s;
            }
            s.writeBytes(sse.array(), 0, sse.size());
        }
        for (long bits = deflateLoops; bits != 0; bits &= bits - 1) {
            LoopBatch.Builder b = builders[Long.numberOfTrailingZeros(bits)];
            ByteBuf d = b.deflated;
            if (d == null) {
                d = allocator.directBuffer(Math.max(1024, deflated.size()));
                b.deflated = d;
            }
            d.writeBytes(deflated.array(), 0, deflated.size());
        }
    }

    private void hand(Tail t) throws InterruptedException {
        int[] partitions = Arrays.copyOf(movedPartitions, movedCount);
        long[] ends = Arrays.copyOf(movedTo, movedCount);
        try {
            for (int i = 0; i < builders.length; i++) {
                LoopBatch.Builder b = builders[i];
                if (!b.isEmpty()) {
                    LoopBatch batch = new LoopBatch(b, t, partitions, ends);
                    b.reset();
                    shards.get(i).offer(batch);
                }
            }
        } finally {
            for (LoopBatch.Builder b : builders) {
                b.discard(); // of loops that it did not come to, because the tailer is being stopped
            }
        }
    }

    private void undeliverable(ConsumerRecord<byte[], byte[]> record, FanoutRecord.Undeliverable cause) {
        metrics.undeliverable(cause).increment();
        undeliverableLog.note(cause, record.partition(), record.offset());
    }

    private Tail current() {
        Tail t = tail;
        if (t == null) {
            throw new IllegalStateException("no topic yet");
        }
        return t;
    }

    private static void await(CountDownLatch done, String what) throws InterruptedException {
        if (!done.await(MOVE_TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
            LOG.error("An event loop has not answered for {} s: {}", MOVE_TIMEOUT_SECONDS, what);
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type cannot be made otherwise
    private static @Nullable ConsumerRecord<byte[], byte[]>[] newStaged(int n) {
        return (ConsumerRecord<byte[], byte[]>[]) new ConsumerRecord[n];
    }
}

package dev.tidegate.gateway.fanout;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.metrics.GatewayMetrics.CopyLoss;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FallbackCopy;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.ProtocolException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * From the messages of the Redis tier to the loops: asks the {@link HedgeRing} which copies are to be delivered, encodes
 * each once, and hands one batch to all loops that want some of it. Belongs to the Redis tier's thread but for {@link
 * #wants}.
 */
public final class FallbackDispatcher {
    private static final Logger LOG = LoggerFactory.getLogger(FallbackDispatcher.class);

    /** Bytes of frames from which a batch is handed over, though more is to be delivered. */
    private static final int BATCH_BYTES = 1 << 20;

    private final HedgeRing ring;
    private final Deliveries deliveries;
    private final Supplier<@Nullable Tail> tail;
    private final List<? extends ProvisionalInbox> shards;
    private final ByteBufAllocator allocator;
    private final int maxPayloadBytes;
    private final GatewayMetrics metrics;
    private final LongSupplier clock;

    private final FanoutRecord view = new FanoutRecord();
    private final FrameBuffer json = new FrameBuffer(4096);
    private final FrameBuffer ws = new FrameBuffer(16 * 1024);
    private final FrameBuffer sse = new FrameBuffer(1024);
    private final List<ProvisionalBatch.Entry> entries = new ArrayList<>();
    private final List<Released> released = new ArrayList<>();
    private long loops;

    private record Released(Interest interest, FallbackCopy copy, boolean provisional) {}

    private final HedgeRing.Releases releases = new HedgeRing.Releases() {
        @Override
        public boolean wanted(Interest interest) {
            Tail t = tail.get();
            return t != null && t.lookUp(interest.name) == interest;
        }

        @Override
        public void release(Interest interest, FallbackCopy copy, boolean provisional) {
            released.add(new Released(interest, copy, provisional));
        }
    };

    /**
     * A dispatcher to these loops.
     *
     * @param tail the current tail, null while there is none
     * @param shards one per event loop, in the order of their indexes
     * @param maxPayloadBytes a larger payload is not delivered
     * @param nanoTime the clock, {@link System#nanoTime} but in a simulation
     */
    public FallbackDispatcher(
            HedgeRing ring,
            Deliveries deliveries,
            Supplier<@Nullable Tail> tail,
            List<? extends ProvisionalInbox> shards,
            ByteBufAllocator allocator,
            int maxPayloadBytes,
            GatewayMetrics metrics,
            LongSupplier nanoTime) {
        this.ring = ring;
        this.deliveries = deliveries;
        this.tail = tail;
        this.shards = List.copyOf(shards);
        this.allocator = allocator;
        this.maxPayloadBytes = maxPayloadBytes;
        this.metrics = metrics;
        this.clock = nanoTime;
    }

    /** Number of the topic's partitions; 0 while it is not known. Any thread. */
    public int partitions() {
        Tail t = tail.get();
        return t == null ? 0 : t.partitions();
    }

    /** Whether somebody here wants the channel of this message; counted if not. Any thread, also one that may not wait. */
    public boolean wants(byte[] message) {
        Tail t = tail.get();
        byte[] channel = FallbackCopy.channelOf(message);
        if (channel == null) {
            metrics.copiesLost(CopyLoss.INVALID).increment();
            return false;
        }
        if (t == null || t.lookUp(channel) == null) {
            metrics.copiesLost(CopyLoss.UNWANTED).increment();
            return false;
        }
        return true;
    }

    /**
     * Takes in these messages, and delivers what is due by now, of them or of earlier ones. Call it also when nothing has
     * come, after the time that it returns.
     *
     * @return in how many nanoseconds something may be due; {@link Long#MAX_VALUE} if nothing waits
     * @throws InterruptedException if the thread is to end
     */
    public long turn(List<byte[]> messages) throws InterruptedException {
        ring.lock();
        try {
            long now = ring.now(clock.getAsLong());
            for (byte[] m : messages) {
                take(m, now);
            }
            ring.due(now, releases);
            deliver();
            return ring.dueIn(now);
        } finally {
            released.clear();
            forget();
            ring.unlock();
        }
    }

    private void take(byte[] message, long now) {
        FallbackCopy copy;
        try {
            copy = FallbackCopy.decode(message);
        } catch (ProtocolException e) {
            metrics.copiesLost(CopyLoss.INVALID).increment();
            return;
        }
        Tail t = tail.get();
        Interest interest = t == null ? null : t.lookUp(copy.channel());
        if (interest == null) {
            metrics.copiesLost(CopyLoss.UNWANTED).increment(); // any more
        } else if (copy.payload().length > maxPayloadBytes) {
            metrics.copiesLost(CopyLoss.INVALID).increment();
        } else {
            metrics.copies.increment();
            ring.arrived(interest, copy, deliveries.of(interest), now, releases);
        }
    }

    private void deliver() throws InterruptedException {
        for (Released r : released) {
            encode(r.interest, r);
            if (ws.size() >= BATCH_BYTES) {
                hand();
            }
        }
        hand();
    }

    private void encode(Interest interest, Released r) {
        r.copy.view(view);
        if (view.check(maxPayloadBytes) != null) {
            metrics.copiesLost(CopyLoss.INVALID).increment();
            return;
        }
        int wsSize = ws.size();
        int sseSize = sse.size();
        long wsLoops = interest.wsLoops;
        long sseLoops = interest.sseLoops;
        try {
            EventFrames.encode(json.clear(), "", 0, EventFrames.NO_OFFSET, 0, view, false);
            WireFormats.webSocketText(ws, json);
            if (sseLoops != 0) {
                WireFormats.sseBlock(sse, view.type(), json);
                sse.raw('\n');
            }
        } catch (RuntimeException e) {
            LOG.error("A copy could not be encoded: {}", r.copy, e);
            metrics.copiesLost(CopyLoss.FAULT).increment();
            ws.truncate(wsSize);
            sse.truncate(sseSize);
            return;
        }
        loops |= wsLoops | sseLoops;
        entries.add(new ProvisionalBatch.Entry(interest, r.provisional ? r.copy.id() : null, ws.size(), sse.size()));
    }

    private void hand() throws InterruptedException {
        if (entries.isEmpty()) {
            return;
        }
        ProvisionalBatch batch = batch();
        long to = loops;
        forget();
        if (batch == null) {
            return;
        }
        try {
            for (long bits = to; bits != 0; bits &= bits - 1) {
                batch.retain(); // the loop's, which releases it
                shards.get(Long.numberOfTrailingZeros(bits)).offerProvisional(batch);
            }
        } finally {
            batch.release();
        }
    }

    /** Null, and the copies are lost, if there is no memory for it: Kafka has them, and more would be asked in vain. */
    private @Nullable ProvisionalBatch batch() {
        ByteBuf w = null;
        try {
            w = allocator.directBuffer(ws.size()).writeBytes(ws.array(), 0, ws.size());
            ByteBuf s = sse.size() == 0
                    ? Unpooled.EMPTY_BUFFER
                    : allocator.directBuffer(sse.size()).writeBytes(sse.array(), 0, sse.size());
            return new ProvisionalBatch(w, s, entries);
        } catch (OutOfMemoryError e) {
            if (w != null) {
                w.release();
            }
            LOG.warn("{} copies are dropped: {}", entries.size(), e.toString());
            metrics.copiesLost(CopyLoss.FAULT).add(entries.size());
            return null;
        }
    }

    private void forget() {
        ws.clear();
        sse.clear();
        entries.clear();
        loops = 0;
    }
}

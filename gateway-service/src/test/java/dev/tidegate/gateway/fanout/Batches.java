package dev.tidegate.gateway.fanout;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import io.netty.buffer.ByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;

/** Batches of one loop for tests, made by the real dispatcher: a topic of one partition, and no loop. */
public final class Batches extends IdleInbox {
    private final List<LoopBatch> offered = new ArrayList<>();
    private final FanoutDispatcher dispatcher;

    /** @param allocator of the batches' buffers */
    public Batches(ByteBufAllocator allocator) throws InterruptedException {
        this(allocator, null);
    }

    Batches(ByteBufAllocator allocator, FrameDeflater deflater) throws InterruptedException {
        dispatcher = new FanoutDispatcher(List.of(this), allocator, 1 << 20, new GatewayMetrics(), deflater);
        dispatcher.moveTo(new Tail("epoch000", new long[] {-1}, 1));
    }

    /** Makes the loop want a channel, for WebSockets or for event streams. */
    public Interest want(String channel, boolean sse) {
        return dispatcher
                .tail()
                .join(channel.getBytes(StandardCharsets.UTF_8), 0, sse)
                .interest();
    }

    /** The batch that these records make, the first one at this offset; the caller releases it. */
    public LoopBatch batch(long firstOffset, String... channelThenData) throws InterruptedException {
        int n = channelThenData.length / 2;
        dispatcher.begin();
        dispatcher.moved(0, firstOffset + n - 1);
        dispatcher.lookUp();
        for (int i = 0; i < n; i++) {
            dispatcher.record(record(0, firstOffset + i, channelThenData[2 * i], channelThenData[2 * i + 1]));
        }
        dispatcher.end(n);
        return offered.removeLast();
    }

    /** Somebody's interest in a channel, in whatever partition. */
    public static Interest interest(byte[] channel, int partition) {
        return new Interest(channel, partition, 1);
    }

    /** A record of the fan-out topic. */
    public static ConsumerRecord<byte[], byte[]> record(int partition, long offset, String channel, String data) {
        return new ConsumerRecord<>(
                "fanout",
                partition,
                offset,
                1_700_000_000_000L,
                TimestampType.CREATE_TIME,
                0,
                0,
                channel.getBytes(StandardCharsets.UTF_8),
                data.getBytes(StandardCharsets.UTF_8),
                new RecordHeaders(),
                Optional.empty());
    }

    /** The same with a subject. */
    public static ConsumerRecord<byte[], byte[]> record(
            int partition, long offset, String channel, String data, String subject) {
        ConsumerRecord<byte[], byte[]> record = record(partition, offset, channel, data);
        record.headers().add("ce_subject", subject.getBytes(StandardCharsets.UTF_8));
        return record;
    }

    @Override
    public void offer(LoopBatch batch) {
        offered.add(batch);
    }
}

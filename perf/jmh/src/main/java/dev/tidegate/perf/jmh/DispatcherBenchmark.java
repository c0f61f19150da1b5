package dev.tidegate.perf.jmh;

import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.Gap;
import io.netty.buffer.ByteBufAllocator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What a record costs the tailer's thread behind the consumer: one that nobody here wants, one that somebody does, and, as
 * the yardstick, a bare loop over the same records that only counts them. Keys are of 5,000 channels, in an order drawn
 * from a fixed seed, so that the look-up's memory is not in the cache by accident.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders", "--enable-native-access=ALL-UNNAMED"})
public class DispatcherBenchmark {
    /** Records of a poll: what one fetch of a busy topic brings. */
    private static final int BATCH = 500;

    private static final int BATCHES = 64;
    private static final int CHANNELS = 5_000;
    private static final int PARTITIONS = 16;

    private List<ConsumerRecord<byte[], byte[]>> @Nullable [] unwanted;
    private List<ConsumerRecord<byte[], byte[]>> @Nullable [] wanted;
    private final Release loop = new Release();
    private final FanoutDispatcher dispatcher =
            new FanoutDispatcher(List.of(loop), ByteBufAllocator.DEFAULT, 65_536, new GatewayMetrics());
    private long base;
    private int turn;

    /** An event loop that is never behind. */
    private static final class Release implements ShardInbox {
        long bytes;

        @Override
        public void offer(LoopBatch batch) {
            for (int s = 0; s < batch.segments(); s++) {
                bytes += batch.wsBytes(s);
            }
            batch.release();
        }

        @Override
        public void moveTo(Tail tail, CountDownLatch done) {
            done.countDown();
        }

        @Override
        public void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done) {
            done.countDown();
        }
    }

    @Setup
    public void prepare() throws InterruptedException {
        long[] start = new long[PARTITIONS];
        java.util.Arrays.fill(start, -1);
        Tail tail = new Tail("Epoch123", start, 1);
        dispatcher.moveTo(tail);
        for (int i = 0; i < CHANNELS; i++) {
            var _ = tail.join(Records.channel("wanted-", i), 0, false);
        }
        unwanted = batches("other-", 100);
        wanted = batches("wanted-", 128);
    }

    @SuppressWarnings({"unchecked", "rawtypes"}) // an array of a generic type cannot be made otherwise
    private static List<ConsumerRecord<byte[], byte[]>>[] batches(String prefix, int payload) {
        Random random = new Random(42);
        byte[] body = Records.payload(payload);
        List[] out = new List[BATCHES];
        long offset = 0;
        for (int b = 0; b < BATCHES; b++) {
            List<ConsumerRecord<byte[], byte[]>> batch = new java.util.ArrayList<>(BATCH);
            for (int i = 0; i < BATCH; i++) {
                byte[] channel = Records.channel(prefix, random.nextInt(CHANNELS));
                batch.add(Records.of(Tail.partitionOf(channel, PARTITIONS), offset++, channel, body));
            }
            out[b] = batch;
        }
        return out;
    }

    private static List<ConsumerRecord<byte[], byte[]>> of(
            List<ConsumerRecord<byte[], byte[]>> @Nullable [] batches, int turn) {
        if (batches == null) {
            throw new IllegalStateException("not prepared");
        }
        return batches[turn & (BATCHES - 1)];
    }

    /** The yardstick. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public long onlyCounting() {
        long bytes = 0;
        for (ConsumerRecord<byte[], byte[]> r : of(unwanted, turn++)) {
            bytes += r.value().length;
        }
        return bytes;
    }

    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void uninteresting() throws InterruptedException {
        dispatch(of(unwanted, turn++));
    }

    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void interesting() throws InterruptedException {
        dispatch(of(wanted, turn++));
    }

    private void dispatch(List<ConsumerRecord<byte[], byte[]>> records) throws InterruptedException {
        base += BATCH;
        dispatcher.begin();
        for (int p = 0; p < PARTITIONS; p++) {
            dispatcher.moved(p, base);
        }
        dispatcher.lookUp();
        for (ConsumerRecord<byte[], byte[]> r : records) {
            dispatcher.record(r);
        }
        dispatcher.end(BATCH);
    }

    /** Bytes of frames handed to the loop so far; for the test. */
    long bytesHandedOn() {
        return loop.bytes;
    }
}

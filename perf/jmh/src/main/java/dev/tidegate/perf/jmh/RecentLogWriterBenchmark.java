package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.sun.management.ThreadMXBean;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RecentReader;
import dev.tidegate.replay.recent.RingMemory;
import java.lang.management.ManagementFactory;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Group;
import org.openjdk.jmh.annotations.GroupThreads;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * How many records a second the writer of a full recent log appends, alone and beside four readers that fetch twenty events after twenty
 * without a pause. With fewer than five processors the threads share them, so the counters {@code records} and {@code cpuNanos} are what
 * to compare: the writer's own processor time, which tells whether readers hold it up, whatever its share of the machine was.
 */
@State(Scope.Group)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders", "--enable-native-access=ALL-UNNAMED", "-Xmx1g"})
public class RecentLogWriterBenchmark {
    private static final int CHANNELS = 5_000;
    private static final int BATCH = 1_000;
    private static final int FETCHED = 20;

    /** The budget that the service ships with. */
    private static final long BYTES = 256L << 20;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final RecentLog log = new RecentLog(RingMemory.of(BYTES, RecentLog.maxRecordBytes(65_536)), 1);
    private final byte[][] names = new byte[CHANNELS][];
    private final ChannelKey[] keys = new ChannelKey[CHANNELS];
    private final FanoutRecord record = new FanoutRecord();
    private final byte[] payload = Records.payload(100);
    private long offset;

    /** The writer's own. */
    @AuxCounters(AuxCounters.Type.EVENTS)
    @State(Scope.Thread)
    public static class Writer {
        public long records;
        public long cpuNanos;
    }

    /** A reader's own. */
    @AuxCounters(AuxCounters.Type.EVENTS)
    @State(Scope.Thread)
    public static class Reader {
        public long fetched;
        public long overwritten;
        private @Nullable RecentReader reader;
        private int turn;

        @Setup
        public void prepare(RecentLogWriterBenchmark of) {
            reader = of.log.reader();
            turn = (int) (Thread.currentThread().threadId() * 997 % CHANNELS);
        }
    }

    /** Fills the log until records have to make room. */
    @Setup
    public void prepare() {
        for (int i = 0; i < CHANNELS; i++) {
            names[i] = Records.channel("other-", i);
            keys[i] = ChannelKey.of(ChannelName.parse(new String(names[i], US_ASCII)));
        }
        log.startAt(0, 0);
        while (log.usage().evicted() == 0) {
            appendBatch();
        }
    }

    private void appendBatch() {
        for (int i = 0; i < BATCH; i++) {
            log.append(0, offset, record.wrap(names[(int) (offset % CHANNELS)], payload, 1_700_000_000_000L));
            offset++;
        }
        log.advance(0, offset - 1);
    }

    @Benchmark
    @Group("alone")
    @GroupThreads(1)
    @OperationsPerInvocation(BATCH)
    public void appendAlone(Writer writer) {
        append(writer);
    }

    @Benchmark
    @Group("beside")
    @GroupThreads(1)
    @OperationsPerInvocation(BATCH)
    public void appendBeside(Writer writer) {
        append(writer);
    }

    private void append(Writer writer) {
        long before = THREADS.getCurrentThreadCpuTime();
        appendBatch();
        writer.cpuNanos += THREADS.getCurrentThreadCpuTime() - before;
        writer.records += BATCH;
    }

    /** Twenty events of a channel, copied out, from twenty rounds of all channels ago. */
    @Benchmark
    @Group("beside")
    @GroupThreads(4)
    public long fetch(Reader mine) {
        RecentReader reader = Objects.requireNonNull(mine.reader);
        mine.turn = (mine.turn + 1) % CHANNELS;
        long upTo = log.position(0);
        reader.find(keys[mine.turn], 0, upTo - (long) FETCHED * CHANNELS, upTo, 100);
        long sum = 0;
        for (int i = 0, n = reader.count(); i < n; i++) {
            if (!reader.load(i)) {
                mine.overwritten++;
                return sum;
            }
            sum += reader.offset();
        }
        mine.fetched++;
        return sum;
    }
}

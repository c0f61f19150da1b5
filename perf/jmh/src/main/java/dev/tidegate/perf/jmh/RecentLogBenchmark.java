package dev.tidegate.perf.jmh;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RecentReader;
import dev.tidegate.replay.recent.RingMemory;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Fetching 20 missed events of a channel out of a log in which so many later records of other channels follow: the time must not
 * grow with them. Finding out that nothing was missed; and appending.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders", "--enable-native-access=ALL-UNNAMED", "-Xmx2g"})
public class RecentLogBenchmark {
    private static final int MISSED = 20;
    private static final int OTHERS = 5_000;

    /** Records of other channels behind each of the missed events' channel's, over its 20 events. */
    @Param({"10000", "100000", "1000000"})
    public int later;

    private final ChannelKey channel = ChannelKey.of(ChannelName.parse("mine"));
    private final ChannelKey quiet = ChannelKey.of(ChannelName.parse("quiet"));
    private final FanoutRecord record = new FanoutRecord();
    private final byte[] payload = Records.payload(100);
    private final byte[][] others = new byte[OTHERS][];
    private RecentLog log = new RecentLog(RingMemory.of(1 << 24, RecentLog.maxRecordBytes(65_536)), 1);
    private RecentReader reader = log.reader();
    private long upTo;
    private long before;
    private int turn;

    @Setup
    public void prepare() {
        for (int i = 0; i < OTHERS; i++) {
            others[i] = Records.channel("other-", i);
        }
        // 256 bytes a record are more than any of these takes.
        log = new RecentLog(RingMemory.of(Math.max(1L << 25, later * 256L), RecentLog.maxRecordBytes(65_536)), 1);
        log.startAt(0, 0);
        long offset = 0;
        append("quiet".getBytes(java.nio.charset.StandardCharsets.US_ASCII), offset++);
        before = offset - 1;
        byte[] mine = "mine".getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        int step = later / MISSED;
        for (int i = 0; i < later; i++) {
            if (i % step == 0 && i / step < MISSED) {
                append(mine, offset++);
            }
            append(others[i % OTHERS], offset++);
        }
        upTo = offset - 1;
        log.advance(0, upTo);
        reader = log.reader();
    }

    private void append(byte[] key, long offset) {
        log.append(0, offset, record.wrap(key, payload, 1_700_000_000_000L));
    }

    /** Twenty events, copied out. */
    @Benchmark
    public long missedEvents() {
        reader.find(channel, 0, before, upTo, 100);
        long sum = 0;
        for (int i = 0, n = reader.count(); i < n; i++) {
            if (!reader.load(i)) {
                throw new IllegalStateException("overwritten");
            }
            sum += reader.offset();
        }
        if (reader.count() != MISSED) {
            throw new IllegalStateException("found " + reader.count());
        }
        return sum;
    }

    @Benchmark
    public RecentReader.Outcome nothingNew() {
        return reader.find(quiet, 0, before, upTo, 100);
    }

    /** One record of the 5,000 channels in turn; the ring is full or soon will be, so one is given up for each. */
    @Benchmark
    public void append() {
        append(others[turn++ % OTHERS], ++upTo);
        if ((turn & 255) == 0) {
            log.advance(0, upTo);
        }
    }
}

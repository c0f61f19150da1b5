package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RecentReader;
import dev.tidegate.replay.recent.RingMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
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
 * Fetching 20 missed events of a channel out of a log in which so many later records of other channels follow: what is to be done must
 * not grow with them. Twice: for one client again and again, whose events the processor's caches then hold (what the code costs), and
 * for another of {@value #CLIENTS} clients each time (what a storm costs). The second is dearer the larger the log is, since its records lie
 * further apart than caches and address translation reach; {@link #onlyTouching} goes the same ways through plain memory of the same
 * size, as the yardstick of that. And finding out that nothing was missed; and appending.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {
            "-XX:+UseCompactObjectHeaders",
            "--enable-native-access=ALL-UNNAMED",
            "-Xmx1g",
            "-XX:MaxDirectMemorySize=8g" // ten million records, twice
        })
public class RecentLogBenchmark {
    private static final int MISSED = 20;
    private static final int OTHERS = 5_000;

    /** Channels that have missed events, spread evenly over the log. */
    private static final int CLIENTS = 512;

    private static final int PAYLOAD = 100;
    private static final int CACHE_LINE = 64;

    /** Records of other channels between the first of the missed events and the end of the log. */
    @Param({"10000", "100000", "1000000", "10000000"})
    public int later;

    private final ChannelKey[] clients = new ChannelKey[CLIENTS];
    private final ChannelKey quiet = ChannelKey.of(ChannelName.parse("quiet"));
    private final FanoutRecord record = new FanoutRecord();
    private final byte[] payload = Records.payload(PAYLOAD);
    private final byte[][] others = new byte[OTHERS][];
    private RecentLog log = new RecentLog(RingMemory.of(1 << 24, RecentLog.maxRecordBytes(65_536)), 1);
    private RecentReader reader = log.reader();
    private long upTo;
    private long before;
    private int turn;
    private int client;
    private long keptBytes;
    private long keptRecords;

    /** What is kept, the channel table included. A sum over the iterations: bytes by records is the figure. */
    @AuxCounters(AuxCounters.Type.EVENTS)
    @State(Scope.Thread)
    public static class Kept {
        public long keptBytes;
        public long keptRecords;
    }

    /** As much plain memory as the log of so many records takes, with a chain of 20 places for each client. */
    @State(Scope.Thread)
    public static class Plain {
        private MemorySegment memory = MemorySegment.NULL;
        private final long[] newest = new long[CLIENTS];

        @Setup
        public void prepare(RecentLogBenchmark of) {
            long record = of.keptBytes / of.keptRecords & -CACHE_LINE;
            memory = Arena.ofAuto().allocate((of.later + (long) CLIENTS * MISSED) * record, CACHE_LINE);
            memory.fill((byte) 1);
            long records = memory.byteSize() / record;
            for (int i = 0; i < CLIENTS * MISSED; i++) {
                long at = i * records / (CLIENTS * MISSED) * record;
                memory.set(ValueLayout.JAVA_LONG, at, newest[i % CLIENTS]);
                newest[i % CLIENTS] = at;
            }
        }
    }

    @Setup
    public void prepare() {
        for (int i = 0; i < OTHERS; i++) {
            others[i] = Records.channel("other-", i);
        }
        byte[][] mine = new byte[CLIENTS][];
        for (int i = 0; i < CLIENTS; i++) {
            mine[i] = Records.channel("mine-", i);
            clients[i] = ChannelKey.of(ChannelName.parse(new String(mine[i], US_ASCII)));
        }
        // 256 bytes a record are more than any of these takes.
        long capacity = Math.max(1L << 25, (later + (long) CLIENTS * MISSED) * 256L);
        log = new RecentLog(RingMemory.of(capacity, RecentLog.maxRecordBytes(65_536)), 1);
        log.startAt(0, 0);
        long offset = 0;
        append("quiet".getBytes(US_ASCII), offset++);
        before = offset - 1;
        long missed = 0;
        for (long i = 0; i < later; i++) {
            while (missed * later <= i * CLIENTS * MISSED) {
                append(mine[(int) (missed++ % CLIENTS)], offset++);
            }
            append(others[(int) (i % OTHERS)], offset++);
        }
        while (missed < CLIENTS * MISSED) {
            append(mine[(int) (missed++ % CLIENTS)], offset++);
        }
        upTo = offset - 1;
        log.advance(0, upTo);
        reader = log.reader();
        var used = log.usage();
        keptBytes = used.bytes() + used.tableBytes();
        keptRecords = used.records();
    }

    private void append(byte[] key, long offset) {
        log.append(0, offset, record.wrap(key, payload, 1_700_000_000_000L));
    }

    /** Twenty events of one client, copied out. */
    @Benchmark
    public long missedEvents(Kept kept) {
        kept.keptBytes = keptBytes;
        kept.keptRecords = keptRecords;
        return fetch(clients[0]);
    }

    /** Twenty events of the next client, copied out. */
    @Benchmark
    public long missedEventsOfAnother() {
        return fetch(nextClient());
    }

    private ChannelKey nextClient() {
        client = (client + 1) % CLIENTS;
        return clients[client];
    }

    private long fetch(ChannelKey channel) {
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

    /** The memory's part of that: the same number of places as far apart, each known by the one after it, and the lines behind it. */
    @Benchmark
    public long onlyTouching(Plain plain) {
        client = (client + 1) % CLIENTS;
        long sum = 0;
        long at = plain.newest[client];
        for (int i = 0; i < MISSED; i++) {
            long previous = plain.memory.get(ValueLayout.JAVA_LONG, at);
            sum += plain.memory.get(ValueLayout.JAVA_LONG, at + CACHE_LINE);
            sum += plain.memory.get(ValueLayout.JAVA_LONG, at + 2 * CACHE_LINE - Long.BYTES);
            at = previous;
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

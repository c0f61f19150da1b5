package dev.tidegate.replay.recent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.replay.recent.RecentReader.Outcome;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * A writer that overwrites its small ring as fast as it can, and readers that check each answer against what the offset alone
 * determines: the channel, the length and every byte of the payload. A torn, stale or missed record shows.
 */
class RecentLogStressTest {
    private static final int CHANNELS = 97;
    private static final int PARTITIONS = 2;
    private static final int READERS = 3;
    private static final int MAX_PAYLOAD = 400;
    private static final int RECORDS = 1_500_000;

    private final ChannelKey[][] keys = new ChannelKey[PARTITIONS][CHANNELS]; // a channel lives in one partition
    private final LongAdder events = new LongAdder();
    private final LongAdder overwritten = new LongAdder();

    @Test
    @Timeout(360)
    void readersNeverSeeTornOverwrittenOrMissingRecords() throws Exception {
        // given
        long seed = Long.getLong("tidegate.seed", System.nanoTime());
        System.out.println("RecentLogStressTest seed " + seed);
        for (int p = 0; p < PARTITIONS; p++) {
            for (int c = 0; c < CHANNELS; c++) {
                keys[p][c] = ChannelKey.of(new ChannelName("stress:" + p + "-" + c));
            }
        }
        RecentLog log = new RecentLog(RingMemory.of(256 << 10, RecentLog.maxRecordBytes(MAX_PAYLOAD)), PARTITIONS);
        for (int p = 0; p < PARTITIONS; p++) {
            log.startAt(p, 0);
        }
        AtomicBoolean done = new AtomicBoolean();

        // when
        try (ExecutorService threads = Executors.newFixedThreadPool(READERS)) {
            List<Future<?>> readers = new ArrayList<>();
            for (int r = 0; r < READERS; r++) {
                Random random = new Random(seed + r);
                readers.add(threads.submit(() -> read(log, random, done)));
            }
            try {
                write(log);
            } finally {
                done.set(true);
            }
            for (Future<?> reader : readers) {
                reader.get();
            }
        }

        // then
        System.out.println("RecentLogStressTest: " + events.sum() + " events read, " + overwritten.sum()
                + " overwritten while being read");
        assertThat(events.sum()).isGreaterThan(10_000);
        assertThat(log.usage().records() + log.usage().evicted()).isEqualTo(RECORDS);
    }

    private void write(RecentLog log) {
        FanoutRecord record = new FanoutRecord();
        long[] next = new long[PARTITIONS];
        for (int i = 0; i < RECORDS; i++) {
            int p = i % PARTITIONS;
            long offset = next[p]++;
            record.wrap(keys[p][channel(p, offset)].bytes(), payload(p, offset), offset);
            log.append(p, offset, record);
            if (offset % 7 == 0) {
                log.advance(p, offset);
            }
        }
        for (int p = 0; p < PARTITIONS; p++) {
            log.advance(p, next[p] - 1);
        }
    }

    private void read(RecentLog log, Random random, AtomicBoolean done) {
        RecentReader reader = log.reader();
        FrameBuffer out = new FrameBuffer(1024);
        FrameBuffer expected = new FrameBuffer(1024);
        FanoutRecord record = new FanoutRecord();
        while (!done.get()) {
            int p = random.nextInt(PARTITIONS);
            int c = random.nextInt(CHANNELS);
            long upTo = log.position(p);
            long after = Math.max(-1, upTo - random.nextInt(2_000));
            Outcome outcome = reader.find(keys[p][c], p, after, upTo, 50);
            if (outcome == Outcome.NOT_COVERED) {
                continue;
            }
            long at = after;
            boolean whole = true;
            for (int i = 0; outcome == Outcome.EVENTS && i < reader.count() && whole; i++) {
                whole = reader.load(i);
                if (whole) {
                    long offset = reader.offset();
                    assertThat(offset).isEqualTo(nextOf(p, c, at));
                    record.wrap(keys[p][c].bytes(), payload(p, offset), offset);
                    EventFrames.encode(expected.clear(), "e", p, offset, at, record, true);
                    EventFrames.encode(out.clear(), "e", p, offset, at, reader.event(), true);
                    assertThat(out.toText()).isEqualTo(expected.toText());
                    at = offset;
                    events.increment();
                }
            }
            if (!whole) {
                overwritten.increment();
            } else if (outcome == Outcome.NOTHING || !reader.more()) {
                assertThat(nextOf(p, c, at)).as("after %d up to %d", at, upTo).isGreaterThan(upTo);
            }
        }
    }

    private static long nextOf(int p, int c, long after) {
        long offset = after + 1;
        while (channel(p, offset) != c) {
            offset++;
        }
        return offset;
    }

    private static long mix(int p, long offset) {
        long h = (offset * PARTITIONS + p) * 0x9e37_79b9_7f4a_7c15L;
        return h ^ h >>> 29;
    }

    private static int channel(int p, long offset) {
        return (int) Long.remainderUnsigned(mix(p, offset) >>> 7, CHANNELS);
    }

    private static byte[] payload(int p, long offset) {
        long h = mix(p, offset);
        byte[] noise = ByteBuffer.allocate(8).putLong(h).array();
        String text = Base64.getUrlEncoder().encodeToString(noise);
        return ("\"" + text.repeat(1 + (int) (h >>> 40) % 30) + "\"").getBytes(StandardCharsets.US_ASCII);
    }
}

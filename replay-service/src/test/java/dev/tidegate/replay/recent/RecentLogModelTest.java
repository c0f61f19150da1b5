package dev.tidegate.replay.recent;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.replay.recent.RecentReader.Outcome;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Random histories against a model that keeps everything: what memory answers is true, and it answers what it must. */
class RecentLogModelTest {
    private static final int MAX_PAYLOAD = 600;

    @Test
    void randomHistoriesAreAnsweredAsByALogThatKeepsEverything() {
        long seed = Long.getLong("tidegate.seed", System.nanoTime());
        System.out.println("RecentLogModelTest seed " + seed);
        for (int round = 0; round < 40; round++) {
            new History(new Random(seed + round), "seed " + seed + ", round " + round).run();
        }
    }

    /** One history: a small ring, so that it turns over many times. */
    private static final class History {
        private final Random random;
        private final String label;
        private final int partitions;
        private final int channels;
        private final RingMemory ring = RingMemory.of(128 << 10, RecentLog.maxRecordBytes(MAX_PAYLOAD));
        private final FanoutRecord record = new FanoutRecord();
        private final List<List<NavigableMap<Long, String>>> model = new ArrayList<>(); // partition, channel, offset
        private RecentLog log;
        private RecentReader reader;
        private long[] next;
        private int covered;

        History(Random random, String label) {
            this.random = random;
            this.label = label;
            this.partitions = 1 + random.nextInt(4);
            this.channels = 1 + random.nextInt(random.nextBoolean() ? 5 : 400);
            begin();
        }

        void run() {
            int steps = 4_000;
            for (int i = 0; i < steps; i++) {
                int burst = random.nextInt(20);
                int p = random.nextInt(partitions);
                for (int k = 0; k < burst; k++) {
                    append(p);
                }
                log.advance(p, next[p] - 1);
                ask(p);
                askLast(p);
                if (random.nextInt(2_000) == 0) {
                    begin(); // the topic was recreated: another log over the same memory
                }
            }
            assertThat(log.usage().bytes()).as(label).isLessThanOrEqualTo(ring.capacity());
            assertThat(covered).as(label + ": answers from memory").isGreaterThan(steps / 10);
        }

        private void begin() {
            if (log != null) {
                log.retire();
                assertThat(reader.find(key(0, 0), 0, -1, 5, 10)).as(label).isEqualTo(Outcome.NOT_COVERED);
            }
            log = new RecentLog(ring, partitions);
            reader = log.reader();
            next = new long[partitions];
            model.clear();
            for (int p = 0; p < partitions; p++) {
                next[p] = random.nextInt(3) * 1_000L;
                log.startAt(p, next[p]);
                List<NavigableMap<Long, String>> perChannel = new ArrayList<>();
                for (int c = 0; c < channels; c++) {
                    perChannel.add(new TreeMap<>());
                }
                model.add(perChannel);
            }
        }

        private void append(int p) {
            long offset = next[p]++;
            if (random.nextInt(10) == 0) {
                return; // a record that is no event
            }
            // Skewed, so that some channels are busy and some fall out of memory.
            int c = (int) (channels * Math.pow(random.nextDouble(), 3));
            String payload = "\"" + "x".repeat(random.nextInt(MAX_PAYLOAD - 2)) + "\"";
            record.wrap(key(p, c).bytes(), payload.getBytes(StandardCharsets.UTF_8), offset * 7);
            if (random.nextBoolean()) {
                record.header(FanoutRecord.HEADER_ID, ("id" + offset).getBytes(StandardCharsets.UTF_8));
            }
            FrameBuffer out = new FrameBuffer(256);
            EventFrames.encode(out, "epoch", p, offset, 0, record, true);
            model.get(p).get(c).put(offset, out.toText());
            log.append(p, offset, record);
        }

        private void ask(int p) {
            int c = random.nextInt(channels);
            long position = log.position(p);
            long upTo = position - random.nextInt(3);
            long after = Math.max(-1, upTo - random.nextInt(random.nextBoolean() ? 30 : 1_000));
            int limit = 1 + random.nextInt(20);
            NavigableMap<Long, String> expected =
                    after >= upTo ? new TreeMap<>() : model.get(p).get(c).subMap(after, false, upTo, true);
            String asked = label + ": channel " + c + " of " + p + " after " + after + " up to " + upTo;

            Outcome outcome = reader.find(key(p, c), p, after, upTo, limit);
            switch (outcome) {
                case NOTHING -> assertThat(expected).as(asked).isEmpty();
                case EVENTS -> {
                    List<String> frames = frames(p, asked);
                    assertThat(frames)
                            .as(asked)
                            .isEqualTo(expected.values().stream().limit(limit).toList());
                    assertThat(reader.more()).as(asked).isEqualTo(expected.size() > limit);
                }
                case NOT_COVERED -> {
                    assertThat(log.firstKept(p)).as(asked).isGreaterThan(after + 1);
                    // What it says it has, it has.
                    long from = reader.coveredAfter();
                    assertThat(from).as(asked).isGreaterThan(after);
                    assertThat(reader.find(key(p, c), p, from, position, limit))
                            .as(asked)
                            .isNotEqualTo(Outcome.NOT_COVERED);
                }
            }
            if (outcome != Outcome.NOT_COVERED) {
                covered++;
            }
        }

        private void askLast(int p) {
            int c = random.nextInt(channels);
            int n = 1 + random.nextInt(30);
            long upTo = log.position(p) - random.nextInt(3);
            int found = reader.countBack(key(p, c), p, upTo, n);
            long from = reader.coveredAfter();
            NavigableMap<Long, String> all = model.get(p).get(c);
            String asked = label + ": last " + n + " of channel " + c + " of " + p + " up to " + upTo;
            assertThat(found).as(asked).isLessThanOrEqualTo(n);
            if (from < upTo) {
                assertThat(all.subMap(from, false, upTo, true)).as(asked).hasSize(found);
            } else {
                assertThat(found).as(asked).isZero();
            }
            if (found < n) { // memory has no more of it
                assertThat(from).as(asked).isLessThan(log.firstKept(p));
            }
        }

        private List<String> frames(int p, String asked) {
            List<String> frames = new ArrayList<>();
            for (int i = 0; i < reader.count(); i++) {
                assertThat(reader.load(i)).as(asked).isTrue();
                FrameBuffer out = new FrameBuffer(256);
                EventFrames.encode(out, "epoch", p, reader.offset(), 0, reader.event(), true);
                frames.add(out.toText());
            }
            return frames;
        }

        private static ChannelKey key(int p, int c) { // a channel lives in one partition
            return ChannelKey.of(new ChannelName("chat:room-" + p + "-" + c));
        }
    }
}

package dev.tidegate.gateway.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.Gap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * The real dispatcher and tail on threads of their own: loops join and leave channels at random while the tailer runs, and
 * each must see every record above its position until it leaves, none twice, each with a {@code prev} that it can accept.
 */
class TailStressTest {
    private static final int LOOPS = 3;
    private static final int CHANNELS = 4;
    private static final int RECORDS = 60_000;

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    /** The record at an offset belongs to this channel: so every loop knows what it has to see. */
    private static int channelAt(long offset) {
        return (int) ((offset * 0x9E3779B97F4A7C15L) >>> 33) % CHANNELS;
    }

    private static byte[] name(int channel) {
        return ("c" + channel).getBytes(StandardCharsets.UTF_8);
    }

    /** A loop: its subscriptions are touched by its own thread alone. */
    private final class Loop implements ShardInbox {
        final int index;
        final SplittableRandom random;
        final ExecutorService thread = Executors.newSingleThreadExecutor();
        final Semaphore room = new Semaphore(MAX_BATCHES);
        final Map<Integer, Tail.Joined> joined = new HashMap<>();
        final Map<Integer, Long> position = new HashMap<>();
        Tail tail;
        long seen;

        Loop(int index, SplittableRandom random) {
            this.index = index;
            this.random = random;
        }

        @Override
        public void offer(LoopBatch batch) throws InterruptedException {
            room.acquire();
            thread.execute(() -> {
                try {
                    churn();
                    deliver(batch);
                    churn();
                } catch (RuntimeException | AssertionError e) {
                    failure.compareAndSet(null, e);
                } finally {
                    batch.release();
                    room.release();
                }
            });
        }

        /** While the tailer makes its next batch. */
        void churnMuch() {
            for (int i = 0; i < 20; i++) {
                churn();
            }
        }

        /** Joins or leaves a channel. */
        void churn() {
            int channel = random.nextInt(CHANNELS);
            Tail.Joined j = joined.remove(channel);
            if (j != null) {
                position.remove(channel);
                tail.leave(j.interest(), index, false);
            } else {
                Tail.Joined now = tail.join(name(channel), index, false);
                joined.put(channel, now);
                position.put(channel, now.position());
            }
        }

        private void deliver(LoopBatch batch) {
            for (int s = 0; s < batch.segments(); s++) {
                int channel = batch.interest(s).name[1] - '0';
                Long at = position.get(channel);
                int from = at == null ? batch.events(s) : batch.firstAbove(s, at);
                for (int e = from; e < batch.events(s); e++) {
                    long offset = batch.offset(s, e);
                    long prev = prev(batch, s, e);
                    assertThat(missedBetween(channel, at, offset))
                            .as("loop %s, channel %s, at %s, got %s", index, channel, at, offset)
                            .isEqualTo(-1);
                    assertThat(prev).isLessThanOrEqualTo(at);
                    assertThat(missedBetween(channel, prev, offset)).isEqualTo(-1);
                    at = offset;
                    position.put(channel, at);
                    seen++;
                }
            }
        }

        private long prev(LoopBatch batch, int segment, int event) {
            ByteBuf frames = batch.ws(segment, event);
            String text = frames.toString(StandardCharsets.ISO_8859_1);
            frames.release();
            int from = text.indexOf("\"prev\":") + 7;
            return Long.parseLong(text.substring(from, text.indexOf(',', from)));
        }

        @Override
        public void moveTo(Tail newTail, CountDownLatch done) {
            thread.execute(() -> {
                tail = newTail;
                done.countDown();
            });
        }

        @Override
        public void skip(Tail of, int partition, long to, Gap.Reason reason, CountDownLatch done) {
            throw new UnsupportedOperationException();
        }
    }

    /** A record of the channel strictly between these offsets, or -1. */
    private static long missedBetween(int channel, long after, long before) {
        for (long o = after + 1; o < before; o++) {
            if (channelAt(o) == channel) {
                return o;
            }
        }
        return -1;
    }

    @Test
    void everyJoinedLoopSeesEveryRecordAboveItsPosition() throws Exception {
        // given
        long seed = ThreadLocalRandom.current().nextLong();
        SplittableRandom random = new SplittableRandom(seed);
        List<Loop> loops = new ArrayList<>();
        for (int i = 0; i < LOOPS; i++) {
            loops.add(new Loop(i, random.split()));
        }
        FanoutDispatcher dispatcher = new FanoutDispatcher(loops, allocator, 1000, new GatewayMetrics());
        Tail tail = new Tail("epoch000", new long[] {-1}, LOOPS);
        dispatcher.moveTo(tail);

        // when
        long next = 0;
        while (next < RECORDS && failure.get() == null) {
            for (Loop l : loops) {
                l.thread.execute(l::churnMuch);
            }
            int n = 1 + random.nextInt(8);
            dispatcher.begin();
            dispatcher.moved(0, next + n - 1);
            dispatcher.lookUp();
            for (int i = 0; i < n; i++, next++) {
                dispatcher.record(Batches.record(0, next, "c" + channelAt(next), "1"));
            }
            dispatcher.end(n);
        }
        for (Loop l : loops) {
            l.thread.shutdown();
            assertThat(l.thread.awaitTermination(60, TimeUnit.SECONDS)).isTrue();
        }

        // then
        assertThat(failure.get()).as("seed %s", seed).isNull();
        long end = next;
        for (Loop l : loops) {
            assertThat(l.seen).isPositive();
            l.position.forEach((channel, at) -> assertThat(missedBetween(channel, at, end))
                    .as("seed %s: never dispatched to loop %s", seed, l.index)
                    .isEqualTo(-1));
            l.joined.values().forEach(j -> tail.leave(j.interest(), l.index, false));
        }
        assertThat(tail.channels()).isZero();
        assertThat(allocator.metric().usedDirectMemory()).isZero();
    }
}

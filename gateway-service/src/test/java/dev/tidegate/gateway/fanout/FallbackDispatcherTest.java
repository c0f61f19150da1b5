package dev.tidegate.gateway.fanout;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.metrics.GatewayMetrics.CopyLoss;
import dev.tidegate.protocol.FallbackCopy;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Copies and records of one partition meet, on a clock moved by hand. */
class FallbackDispatcherTest {
    private static final byte[] CHANNEL = "news".getBytes(UTF_8);
    private static final long HEDGE_AFTER_MS = 250;

    private final GatewayMetrics metrics = new GatewayMetrics();
    private final HedgeRing ring = new HedgeRing(HedgeRing.Settings.of(HEDGE_AFTER_MS), metrics);
    private final List<String> shown = new ArrayList<>();
    private final FanoutDispatcher records;
    private final FallbackDispatcher copies;
    private long now = 1;
    private Runnable whileBusy = () -> {};

    FallbackDispatcherTest() throws InterruptedException {
        var loop = new OneLoop();
        var allocator = UnpooledByteBufAllocator.DEFAULT;
        records = new FanoutDispatcher(List.of(loop), allocator, 1 << 20, metrics);
        records.meet(ring, Deliveries.ORDERED, () -> now);
        copies = new FallbackDispatcher(
                ring, Deliveries.ORDERED, records::tail, List.of(loop), allocator, 1 << 20, metrics, () -> now);
        records.moveTo(new Tail("epoch000", new long[] {-1}, 1));
    }

    @Test
    void aCopyWaitsForItsRecordAndIsShownWhenThatDoesNotCome() throws InterruptedException {
        // given
        join();
        arrives("a");
        assertThat(shown).isEmpty();

        // when
        pass(HEDGE_AFTER_MS);
        copies.turn(List.of());

        // then
        assertThat(shown).containsExactly("a");
        assertThat(ring.hedging()).isEqualTo(1);
    }

    @Test
    void aCopyThatOneSubscriberWaitedForIsNotShownToTheNextWhoHasItsPlaceAlready() throws InterruptedException {
        // given a copy, whose record passes when the only subscriber has gone
        Interest before = join();
        arrives("a");
        records.tail().leave(before, 0, false);
        passes(0);

        // when somebody else subscribes, after it
        var next = records.tail().join(CHANNEL, 0, false);
        assertThat(next.position()).isZero();
        pass(4 * HEDGE_AFTER_MS);
        long dueIn = copies.turn(List.of());

        // then it is dropped, and the partition is not taken for one whose tail stands still
        assertThat(shown).isEmpty();
        assertThat(dueIn).isEqualTo(Long.MAX_VALUE);
        assertThat(ring.hedging()).isZero();
        assertThat(metrics.hedged.sum()).isZero();
        assertThat(metrics.copiesLost(CopyLoss.UNWANTED).sum()).isEqualTo(1);

        // and what comes for the new subscriber is shown when it is due
        arrives("b");
        pass(HEDGE_AFTER_MS);
        copies.turn(List.of());
        assertThat(shown).containsExactly("b");
    }

    @Test
    void aCopyIsShownToOneWhoJoinedWhileItWaited() throws InterruptedException {
        // given
        Interest first = join();
        arrives("a");

        // when the first one leaves, but not before another has come
        assertThat(records.tail().join(CHANNEL, 0, true).interest()).isSameAs(first);
        records.tail().leave(first, 0, false);
        pass(HEDGE_AFTER_MS);
        copies.turn(List.of());

        // then
        assertThat(shown).containsExactly("a");
    }

    @Test
    void whileTheTailerWaitsForBusyLoopsNoCopyBecomesDue() throws InterruptedException {
        // given a copy that waits, and loops that are busy for long
        join();
        arrives("a");
        pass(HEDGE_AFTER_MS - 1);
        whileBusy = () -> {
            pass(10 * HEDGE_AFTER_MS);
            turn();
        };

        // when
        assertThat(records.awaitIdle(TimeUnit.MILLISECONDS.toNanos(100))).isTrue();
        copies.turn(List.of());

        // then no time has passed
        assertThat(shown).isEmpty();

        // when the tailer waits for Kafka again
        pass(1);
        copies.turn(List.of());

        // then
        assertThat(shown).containsExactly("a");
    }

    private Interest join() {
        return records.tail().join(CHANNEL, 0, false).interest();
    }

    private void arrives(String id) throws InterruptedException {
        byte[] message = new FallbackCopy(
                        false, CHANNEL, id.getBytes(UTF_8), null, null, null, 1, null, null, "1".getBytes(UTF_8))
                .encode();
        assertThat(copies.wants(message)).isTrue();
        copies.turn(List.of(message));
    }

    private void turn() {
        try {
            copies.turn(List.of());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** The tailer reads a record of the channel. */
    private void passes(long offset) throws InterruptedException {
        records.begin();
        records.moved(0, offset);
        records.lookUp();
        records.record(Batches.record(0, offset, "news", "1"));
        records.end(1);
        records.idle();
    }

    private void pass(long millis) {
        now += TimeUnit.MILLISECONDS.toNanos(millis);
    }

    /** Notes which copies it is given. */
    private final class OneLoop extends IdleInbox implements ProvisionalInbox {
        @Override
        public void offerProvisional(ProvisionalBatch batch) {
            for (int e = 0; e < batch.events(); e++) {
                ByteBuf frame = batch.ws(e);
                assertThat(frame.isReadable()).isTrue();
                frame.release();
                shown.add(new String(batch.id(e), UTF_8));
            }
            batch.release();
        }

        @Override
        public boolean awaitIdle(long nanos) {
            whileBusy.run();
            return true;
        }

        @Override
        public void offer(LoopBatch batch) {
            batch.release();
        }
    }
}

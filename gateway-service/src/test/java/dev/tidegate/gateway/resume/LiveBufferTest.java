package dev.tidegate.gateway.resume;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.LoopBatch;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The bounds of the buffer, and that it keeps nothing beyond its end. */
class LiveBufferTest {
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private Batches batches;
    private long next;

    @BeforeEach
    void makeBatches() throws InterruptedException {
        batches = new Batches(allocator);
        batches.want("c", false);
    }

    @AfterEach
    void nothingIsLeftInUse() {
        assertThat(allocator.metric().usedDirectMemory()).isZero();
    }

    private boolean offer(LiveBuffer buffer) throws InterruptedException {
        LoopBatch batch = batches.batch(next++, "c", "1");
        boolean taken = buffer.offer(batch);
        batch.release();
        return taken;
    }

    private int bytesOfOne() throws InterruptedException {
        LoopBatch batch = batches.batch(next++, "c", "1");
        int n = batch.wsBytes(0);
        batch.release();
        return n;
    }

    @Test
    void givesBackInOrderWhatItTook() throws InterruptedException {
        // given
        LiveBuffer buffer = new LiveBuffer(new LiveBuffer.Budget(1 << 20));
        offer(buffer);
        offer(buffer);

        // when
        List<Long> drained = new ArrayList<>();
        buffer.drain(s -> drained.add(s.firstOffset(0)));

        // then
        assertThat(drained).containsExactly(0L, 1L);
    }

    @Test
    void isBoundedBySegments() throws InterruptedException {
        // given
        LiveBuffer buffer = new LiveBuffer(new LiveBuffer.Budget(Integer.MAX_VALUE));
        for (int i = 0; i < LiveBuffer.MAX_SEGMENTS; i++) {
            assertThat(offer(buffer)).isTrue();
        }

        // when / then
        assertThat(offer(buffer)).isFalse();
        buffer.clear();
        assertThat(offer(buffer)).isTrue();
        buffer.clear();
    }

    @Test
    void sharesItsBytesWithTheConnectionsOtherBuffers() throws InterruptedException {
        // given: room for two
        int one = bytesOfOne();
        LiveBuffer.Budget budget = new LiveBuffer.Budget(2 * one + one / 2);
        LiveBuffer a = new LiveBuffer(budget);
        LiveBuffer b = new LiveBuffer(budget);
        assertThat(offer(a)).isTrue();
        assertThat(offer(b)).isTrue();

        // when / then
        assertThat(offer(b)).isFalse();
        a.clear();
        assertThat(offer(b)).isTrue();
        b.drain(s -> {});
        assertThat(offer(a)).isTrue();
        assertThat(offer(a)).isTrue();
        assertThat(offer(a)).isFalse();
        a.clear();
    }

    @Test
    void keepsNothingAfterAConsumerThatFailed() throws InterruptedException {
        // given
        int one = bytesOfOne();
        LiveBuffer.Budget budget = new LiveBuffer.Budget(2 * one + one / 2);
        LiveBuffer buffer = new LiveBuffer(budget);
        offer(buffer);
        offer(buffer);

        // when
        Throwable failure = catchThrowable(() -> buffer.drain(s -> {
            throw new IllegalStateException("for a test");
        }));
        buffer.clear();

        // then
        assertThat(failure).isInstanceOf(IllegalStateException.class);
        assertThat(offer(buffer)).isTrue();
        assertThat(offer(buffer)).isTrue();
        buffer.clear();
    }
}

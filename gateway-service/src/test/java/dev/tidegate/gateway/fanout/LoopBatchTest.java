package dev.tidegate.gateway.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Segments, their copies and their bytes, as the dispatcher makes them. */
class LoopBatchTest {
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);

    @AfterEach
    void nothingIsLeftInUse() {
        assertThat(allocator.metric().usedDirectMemory()).isZero();
        assertThat(allocator.metric().usedHeapMemory()).isZero();
    }

    @Test
    void laysTheEventsOfAChannelBehindEachOther() throws InterruptedException {
        // given
        Batches batches = new Batches(allocator);
        Interest a = batches.want("a", false);
        Interest b = batches.want("b", false);

        // when
        LoopBatch batch = batches.batch(0, "a", "1", "b", "2", "nobody", "3", "a", "4");

        // then
        assertThat(batch.segments()).isEqualTo(2);
        assertThat(batch.interest(0)).isSameAs(a);
        assertThat(batch.interest(1)).isSameAs(b);
        assertThat(batch.events(0)).isEqualTo(2);
        assertThat(batch.firstOffset(0)).isZero();
        assertThat(batch.lastOffset(0)).isEqualTo(3);
        assertThat(batch.firstAbove(0, -1)).isZero();
        assertThat(batch.firstAbove(0, 0)).isEqualTo(1);
        assertThat(batch.firstAbove(0, 3)).isEqualTo(2);
        assertThat(taken(batch.ws(0, 0)))
                .contains("\"data\":1")
                .contains("\"data\":4")
                .doesNotContain("\"data\":2");
        assertThat(taken(batch.ws(0, 1))).contains("\"data\":4").doesNotContain("\"data\":1");
        assertThat(taken(batch.ws(1, 0))).contains("\"data\":2");
        batch.release();
    }

    @Test
    void copiesOneSegmentWithBuffersOfItsOwn() throws InterruptedException {
        // given
        Batches batches = new Batches(allocator);
        batches.want("a", false);
        batches.want("b", false);
        batches.want("b", true);
        LoopBatch batch = batches.batch(0, "a", "1", "b", "2", "b", "3");
        int segment = 1;
        String ws = taken(batch.ws(segment, 0));
        String sse = taken(batch.sse(segment, 1));

        // when
        LoopBatch copy = batch.copyOf(segment);
        batch.release();

        // then
        assertThat(copy.segments()).isEqualTo(1);
        assertThat(copy.firstOffset(0)).isEqualTo(1);
        assertThat(copy.lastOffset(0)).isEqualTo(2);
        assertThat(copy.wsBytes(0)).isEqualTo(ws.getBytes(StandardCharsets.ISO_8859_1).length);
        assertThat(taken(copy.ws(0, 0))).isEqualTo(ws);
        assertThat(taken(copy.sse(0, 1))).isEqualTo(sse);
        copy.release();
    }

    @Test
    void leavesNoTraceOfABatchThatFailed() throws InterruptedException {
        // given
        Scarce scarce = new Scarce(allocator);
        Batches batches = new Batches(scarce);
        batches.want("a", false);
        batches.want("a", true);
        batches.batch(0, "a", "1").release();

        // when: there is memory for the WebSocket frames, but not for the stream's blocks; then again
        scarce.left = 1;
        Throwable failure = catchThrowable(() -> batches.batch(1, "a", "2"));
        scarce.left = Integer.MAX_VALUE;
        LoopBatch again = batches.batch(1, "a", "2", "a", "3");

        // then: the same records once more, their chain unbroken
        assertThat(failure).isInstanceOf(OutOfMemoryError.class);
        assertThat(again.events(0)).isEqualTo(2);
        assertThat(taken(again.ws(0, 0))).contains("\"prev\":0").contains("\"prev\":1");
        again.release();
    }

    /** Has so many direct buffers left. */
    private static final class Scarce extends AbstractByteBufAllocator {
        private final ByteBufAllocator inner;
        int left = Integer.MAX_VALUE;

        Scarce(ByteBufAllocator inner) {
            this.inner = inner;
        }

        @Override
        protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
            return inner.heapBuffer(initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
            if (left-- <= 0) {
                throw new OutOfMemoryError("for a test");
            }
            return inner.directBuffer(initialCapacity, maxCapacity);
        }

        @Override
        public boolean isDirectBufferPooled() {
            return false;
        }
    }

    private static String taken(ByteBuf buf) {
        String text = buf.toString(StandardCharsets.ISO_8859_1);
        buf.release();
        return text;
    }
}

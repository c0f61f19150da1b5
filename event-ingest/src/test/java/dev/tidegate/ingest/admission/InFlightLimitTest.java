package dev.tidegate.ingest.admission;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class InFlightLimitTest {
    @Test
    void boundsRequestsAndBytes() {
        // given
        InFlightLimit limit = new InFlightLimit(2, 10);
        // then
        assertThat(limit.tryAcquire(11)).isFalse();
        assertThat(limit.tryAcquire(10)).isTrue();
        assertThat(limit.tryAcquire(1)).isFalse();
        assertThat(limit.tryAcquire(0)).isTrue();
        assertThat(limit.tryAcquire(0)).isFalse();
        limit.release(10);
        assertThat(limit.tryAcquire(1)).isTrue();
        assertThat(limit.requests()).isEqualTo(2);
        assertThat(limit.bytes()).isEqualTo(1);
    }

    @Test
    void isWholeAgainAfterManyThreads() throws InterruptedException {
        // given
        InFlightLimit limit = new InFlightLimit(3, 100);
        AtomicInteger over = new AtomicInteger();
        AtomicInteger inside = new AtomicInteger();
        CountDownLatch done = new CountDownLatch(4);
        // when
        for (int t = 0; t < 4; t++) {
            Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 20_000; i++) {
                    int size = ThreadLocalRandom.current().nextInt(80);
                    if (limit.tryAcquire(size)) {
                        if (inside.incrementAndGet() > 3) {
                            over.incrementAndGet();
                        }
                        inside.decrementAndGet();
                        limit.release(size);
                    }
                }
                done.countDown();
            });
        }
        done.await();
        // then
        assertThat(over.get()).isZero();
        assertThat(limit.requests()).isZero();
        assertThat(limit.bytes()).isZero();
    }
}

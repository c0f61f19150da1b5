package dev.tidegate.replay.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

class AdmissionTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    private final LongAdder refused = new LongAdder();

    @Test
    void callsWaitTheirTurnInOrder() {
        // given
        Admission admission = new Admission("calls", 1, 10, Duration.ofMinutes(2), refused);
        List<Integer> order = new CopyOnWriteArrayList<>();
        List<Sinks.One<Integer>> running = new CopyOnWriteArrayList<>();
        for (int i = 0; i < 5; i++) {
            int n = i;
            admission
                    .run(() -> {
                        order.add(n);
                        Sinks.One<Integer> end = Sinks.one();
                        running.add(end);
                        return end.asMono();
                    })
                    .subscribe();
        }

        // when, then
        for (int i = 0; i < 5; i++) {
            int n = i + 1;
            await().atMost(WITHIN).until(() -> running.size() == n);
            assertThat(admission.inside()).isEqualTo(1);
            running.get(i).tryEmitValue(0);
        }
        assertThat(order).containsExactly(0, 1, 2, 3, 4);
        await().atMost(WITHIN).until(() -> admission.inside() == 0);
    }

    @Test
    void whoFindsNoRoomOrWaitsTooLongIsRefused() {
        // given
        Admission admission = new Admission("calls", 1, 1, Duration.ofSeconds(2), refused);
        Disposable inside = admission.run(Mono::never).subscribe();
        Mono<Integer> late = admission.run(() -> Mono.just(1)).cache();
        late.subscribe(v -> {}, e -> {});

        // when, then: no room even to wait
        assertThatThrownBy(() -> admission.run(() -> Mono.just(2)).block())
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE));
        // and the one that waits, waits so long only
        assertThatThrownBy(late::block).hasMessageContaining("too many calls at once");
        assertThat(refused.sum()).isEqualTo(2);
        await().atMost(WITHIN)
                .until(() -> admission.waiting() == 0); // its place is given back after its error has been told

        // and when the first is cancelled there is room again
        inside.dispose();
        await().atMost(WITHIN).until(() -> admission.inside() == 0);
        assertThat(admission.run(() -> Mono.just(3)).block()).isEqualTo(3);
    }

    @Test
    void placesAreNeverLost() {
        // given: many calls that end, fail, or are cancelled at any moment
        long seed = Long.getLong("tidegate.seed", System.nanoTime());
        Random random = new Random(seed);
        Admission admission = new Admission("calls", 3, 50, Duration.ofSeconds(10), refused);
        AtomicInteger most = new AtomicInteger();
        AtomicInteger inside = new AtomicInteger();
        List<Disposable> calls = new ArrayList<>();
        for (int i = 0; i < 3_000; i++) {
            int kind = random.nextInt(4);
            Duration takes = Duration.ofNanos(random.nextInt(200_000));
            AtomicBoolean in = new AtomicBoolean();
            Runnable leaves = () -> {
                if (in.compareAndSet(true, false)) {
                    inside.decrementAndGet();
                }
            };
            calls.add(admission
                    .run(() -> Mono.delay(takes)
                            .doOnSubscribe(s -> {
                                in.set(true);
                                most.accumulateAndGet(inside.incrementAndGet(), Math::max);
                            })
                            .flatMap(x -> kind == 0 ? Mono.error(new IllegalStateException()) : Mono.just(x))
                            .doOnTerminate(leaves) // before the place is given on, unlike doFinally
                            .doOnCancel(leaves))
                    .subscribe(v -> {}, e -> {}));
            if (kind == 1) {
                calls.get(random.nextInt(calls.size())).dispose();
            }
        }

        // when, then
        await().atMost(WITHIN).untilAsserted(() -> assertThat(calls).allMatch(Disposable::isDisposed));
        await().atMost(WITHIN)
                .untilAsserted(
                        () -> assertThat(admission.inside()).as("seed %d", seed).isZero());
        assertThat(admission.waiting()).isZero();
        assertThat(most.get()).as("seed %d", seed).isBetween(1, 3);
    }
}

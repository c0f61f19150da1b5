package dev.tidegate.ingest.admission;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.ingest.admission.Claim.Scope;
import dev.tidegate.ingest.config.IdempotencySettings;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class IdempotencyKeysTest {
    private static final String ONE = "1".repeat(IdempotencyKeys.FINGERPRINT_LENGTH);
    private static final String OTHER = "2".repeat(IdempotencyKeys.FINGERPRINT_LENGTH);

    /** Redis as a map; {@code available} and {@code failing} are its illnesses. */
    private static final class MapKeys implements SharedKeys {
        final Map<String, String> map = new ConcurrentHashMap<>();
        volatile boolean available = true;
        volatile boolean failing;

        @Override
        public boolean available() {
            return available;
        }

        @Override
        public CompletionStage<String> claim(String key, String marker, Duration ttl) {
            return answer(map.putIfAbsent(key, marker));
        }

        @Override
        public CompletionStage<String> read(String key) {
            return answer(map.get(key));
        }

        @Override
        public CompletionStage<?> store(String key, String value, Duration ttl) {
            return answer(map.put(key, value));
        }

        @Override
        public CompletionStage<?> removeIf(String key, String value) {
            map.remove(key, value);
            return answer(null);
        }

        private CompletionStage<String> answer(String value) {
            return failing
                    ? CompletableFuture.failedStage(new IllegalStateException("away"))
                    : CompletableFuture.completedStage(value == null ? "" : value);
        }
    }

    private final MapKeys redis = new MapKeys();

    private IdempotencyKeys instance(Duration wait) {
        IdempotencySettings settings = new IdempotencySettings(
                Duration.ofHours(1), 255, wait, Duration.ofMillis(100), Duration.ofSeconds(1), 100);
        return new IdempotencyKeys(settings, Duration.ofSeconds(10), redis, new SimpleMeterRegistry());
    }

    private static Claim.Owned owned(Claim claim) {
        assertThat(claim).isInstanceOf(Claim.Owned.class);
        return (Claim.Owned) claim;
    }

    @Test
    void aKeyIsClaimedOnceAndThenAnsweredOnEveryInstance() {
        // given
        IdempotencyKeys a = instance(Duration.ZERO);
        IdempotencyKeys b = instance(Duration.ZERO);
        // when
        owned(a.claim("k", ONE).join()).answered("first");
        // then
        assertThat(a.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
        assertThat(b.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
        assertThat(b.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
        assertThat(a.claim("k", OTHER).join()).isEqualTo(new Claim.Reused(Scope.SHARED));
        assertThat(b.claim("k", OTHER).join()).isEqualTo(new Claim.Reused(Scope.SHARED));
        owned(b.claim("k2", OTHER).join());
    }

    @Test
    void whileInFlightARepeatWaitsForTheFirstAnswer() {
        // given
        IdempotencyKeys a = instance(Duration.ofSeconds(30));
        IdempotencyKeys b = instance(Duration.ofSeconds(30));
        Claim.Owned first = owned(a.claim("k", ONE).join());
        // when
        CompletableFuture<Claim> here = a.claim("k", ONE);
        CompletableFuture<Claim> there = b.claim("k", ONE);
        assertThat(a.claim("k", OTHER).join()).isEqualTo(new Claim.Reused(Scope.SHARED));
        assertThat(b.claim("k", OTHER).join()).isEqualTo(new Claim.Reused(Scope.SHARED));
        assertThat(here).isNotDone();
        assertThat(there).isNotDone();
        first.answered("first");
        // then
        assertThat(here.join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
        assertThat(there.join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
    }

    @Test
    void butNotForEver() {
        // given
        IdempotencyKeys a = instance(Duration.ofMillis(50));
        IdempotencyKeys b = instance(Duration.ofMillis(50));
        Claim.Owned first = owned(a.claim("k", ONE).join());
        // then
        assertThat(a.claim("k", ONE).join()).isEqualTo(new Claim.InFlight(Scope.SHARED));
        assertThat(b.claim("k", ONE).join()).isEqualTo(new Claim.InFlight(Scope.SHARED));
        // and a wait that ended has taken nothing from the others
        first.answered("first");
        assertThat(a.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
        assertThat(b.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
    }

    @Test
    void aFirstRequestThatFailsFreesItsKey() {
        // given
        IdempotencyKeys a = instance(Duration.ofSeconds(30));
        IdempotencyKeys b = instance(Duration.ofSeconds(30));
        Claim.Owned first = owned(a.claim("k", ONE).join());
        CompletableFuture<Claim> here = a.claim("k", ONE);
        CompletableFuture<Claim> there = b.claim("k", ONE);
        // when
        first.release();
        first.answered("too late");
        // then exactly one of those who wait is the next
        Claim winner = (Claim) CompletableFuture.anyOf(here, there).join();
        owned(winner).answered("second");
        List<Claim> both = List.of(here.join(), there.join());
        assertThat(both).filteredOn(Claim.Owned.class::isInstance).hasSize(1);
        assertThat(both).contains(new Claim.Repeated(Scope.SHARED, "second"));
    }

    @Test
    void withoutRedisThisInstanceRemembers() {
        // given
        IdempotencyKeys a = instance(Duration.ZERO);
        redis.available = false;
        // when
        Claim.Owned first = owned(a.claim("k", ONE).join());
        first.answered("first");
        // then
        assertThat(first.scope()).isEqualTo(Scope.LOCAL);
        assertThat(a.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.LOCAL, "first"));
        assertThat(a.claim("k", OTHER).join()).isEqualTo(new Claim.Reused(Scope.LOCAL));
        // and still does when Redis, which has not heard of it, is back
        redis.available = true;
        assertThat(a.claim("k", ONE).join()).isEqualTo(new Claim.Repeated(Scope.SHARED, "first"));
    }

    @Test
    void aRedisThatFailsIsNoReasonToFail() {
        // given
        IdempotencyKeys a = instance(Duration.ZERO);
        redis.failing = true;
        // when
        Claim.Owned first = owned(a.claim("k", ONE).join());
        // then
        assertThat(first.scope()).isEqualTo(Scope.LOCAL);
        first.answered("first");
        assertThat(a.claim("k", ONE).join()).isInstanceOf(Claim.Repeated.class);
    }

    @Test
    void whatThisInstanceRemembersIsBounded() {
        // given
        IdempotencyKeys a = instance(Duration.ZERO);
        redis.available = false;
        // when
        for (int i = 0; i <= 100; i++) {
            owned(a.claim("k" + i, ONE).join()).answered("first");
        }
        // then the oldest is forgotten
        assertThat(a.claim("k100", ONE).join()).isInstanceOf(Claim.Repeated.class);
        assertThat(a.claim("k1", ONE).join()).isInstanceOf(Claim.Repeated.class);
        assertThat(a.claim("k0", ONE).join()).isInstanceOf(Claim.Owned.class);
    }

    @Test
    void ofManyAtOnceOnTwoInstancesOneIsFirst() throws Exception {
        // given
        List<IdempotencyKeys> instances = List.of(instance(Duration.ofSeconds(30)), instance(Duration.ofSeconds(30)));
        CyclicBarrier together = new CyclicBarrier(8);
        try (ExecutorService threads = Executors.newFixedThreadPool(8)) {
            for (int round = 0; round < 20; round++) {
                String key = "k" + round;
                List<Callable<Claim>> requests = new ArrayList<>();
                for (int t = 0; t < 8; t++) {
                    IdempotencyKeys instance = instances.get(t % 2);
                    requests.add(() -> {
                        together.await();
                        Claim claim = instance.claim(key, ONE).join();
                        if (claim instanceof Claim.Owned first) {
                            first.answered("first");
                        }
                        return claim;
                    });
                }
                // when
                List<Claim> claims = new ArrayList<>();
                for (Future<Claim> claim : threads.invokeAll(requests)) {
                    claims.add(claim.get());
                }
                // then
                assertThat(claims).filteredOn(Claim.Owned.class::isInstance).hasSize(1);
                assertThat(claims)
                        .filteredOn(
                                c -> c instanceof Claim.Repeated r && r.answer().equals("first"))
                        .hasSize(7);
            }
        }
    }
}

package dev.tidegate.ingest.admission;

import dev.tidegate.ingest.admission.Claim.Scope;
import dev.tidegate.ingest.config.IdempotencySettings;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Remembers idempotency keys: first in this instance's own window, then in the memory that all instances share. The rules
 * are those of the IETF draft "The Idempotency-Key HTTP Header Field".
 *
 * <pre>
 * key is        →  claim is
 * unknown          Owned: publish, then answered(…) or release()
 * answered         Repeated, or Reused if the request was another one
 * in flight        the same once it is answered; Owned if it fails; InFlight if it takes longer than we wait
 * </pre>
 *
 * An entry of the shared memory is {@code P<fingerprint><nonce>} while its owner works on it, then
 * {@code A<fingerprint><answer>}. The first kind lives little longer than a publish can take, so an instance that dies
 * frees its keys. Any thread; nothing blocks.
 */
public final class IdempotencyKeys {
    /** Length of a fingerprint in characters. */
    public static final int FINGERPRINT_LENGTH = 22;

    private static final int POLL_MILLIS = 50;
    private static final String REDIS_PREFIX = "tidegate:idem:";

    private final LocalWindow window;
    private final SharedKeys shared;
    private final Duration ttl;
    private final Duration claimTtl;
    private final long waitNanos;
    private final ClaimCounters sharedCounters;
    private final ClaimCounters localCounters;

    /**
     * Remembers nothing yet.
     *
     * @param claimTtl how long a claim lives whose owner died: a little more than a publish can take
     */
    public IdempotencyKeys(IdempotencySettings settings, Duration claimTtl, SharedKeys shared, MeterRegistry meters) {
        this.window = new LocalWindow(settings.localEntries(), settings.ttl().toNanos(), System::nanoTime);
        this.shared = shared;
        this.ttl = settings.ttl();
        this.claimTtl = claimTtl;
        this.waitNanos = settings.inFlightWait().toNanos();
        this.sharedCounters = ClaimCounters.register(meters, "shared");
        this.localCounters = ClaimCounters.register(meters, "local");
        meters.gauge("tidegate.ingest.idempotency.local", window, LocalWindow::size);
        meters.gauge("tidegate.ingest.idempotency.shared", shared, s -> s.available() ? 1 : 0);
    }

    /**
     * Claims a key.
     *
     * @param key identifies channel and key; at most some tens of characters
     * @param fingerprint of the request, {@link #FINGERPRINT_LENGTH} characters: another one is another request
     */
    public CompletableFuture<Claim> claim(String key, String fingerprint) {
        return claim(key, fingerprint, System.nanoTime() + waitNanos).whenComplete((claim, error) -> count(claim));
    }

    private CompletableFuture<Claim> claim(String key, String fingerprint, long deadline) {
        LocalWindow.Entry mine = window.entry(fingerprint);
        LocalWindow.Entry there = window.putIfAbsent(key, mine);
        if (there != null) {
            return seenHere(key, fingerprint, there, deadline);
        }
        return claimShared(key, fingerprint, deadline)
                .toCompletableFuture()
                .handle((found, error) -> settle(key, mine, error == null ? found : new Found.Unavailable()));
    }

    private CompletableFuture<Claim> seenHere(String key, String fingerprint, LocalWindow.Entry there, long deadline) {
        if (!there.fingerprint().equals(fingerprint)) {
            return CompletableFuture.completedFuture(new Claim.Reused(scope()));
        }
        CompletableFuture<Optional<String>> answer = there.answer();
        if (!answer.isDone()) {
            // A copy, so that a wait that ends does not end the wait of others.
            answer = answer.copy()
                    .completeOnTimeout(
                            Optional.empty(), Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
        }
        return answer.thenCompose(a -> {
            if (a.isPresent()) {
                return CompletableFuture.completedFuture(new Claim.Repeated(scope(), a.get()));
            }
            return System.nanoTime() - deadline >= 0
                    ? CompletableFuture.completedFuture(new Claim.InFlight(scope()))
                    : claim(key, fingerprint, deadline); // the first one failed: it is our turn
        });
    }

    /** What the shared memory said. */
    private sealed interface Found {
        record Claimed(String marker) implements Found {}

        record Answered(String fingerprint, String answer) implements Found {}

        record Pending(String fingerprint) implements Found {}

        record Unavailable() implements Found {}
    }

    private CompletionStage<Found> claimShared(String key, String fingerprint, long deadline) {
        if (!shared.available()) {
            return CompletableFuture.completedStage(new Found.Unavailable());
        }
        String marker = "P" + fingerprint
                + Long.toUnsignedString(ThreadLocalRandom.current().nextLong(), 36);
        return shared.claim(REDIS_PREFIX + key, marker, claimTtl)
                .thenCompose(value -> foundShared(key, fingerprint, marker, value, deadline));
    }

    private CompletionStage<Found> foundShared(
            String key, String fingerprint, String marker, String value, long deadline) {
        if (value.isEmpty()) {
            return CompletableFuture.completedStage(new Found.Claimed(marker));
        }
        String itsFingerprint = value.substring(1, Math.min(value.length(), 1 + FINGERPRINT_LENGTH));
        if (value.charAt(0) == 'A') {
            return CompletableFuture.completedStage(
                    new Found.Answered(itsFingerprint, value.substring(1 + itsFingerprint.length())));
        }
        if (!itsFingerprint.equals(fingerprint) || System.nanoTime() - deadline >= 0) {
            return CompletableFuture.completedStage(new Found.Pending(itsFingerprint));
        }
        Executor later = CompletableFuture.delayedExecutor(POLL_MILLIS, TimeUnit.MILLISECONDS, Runnable::run);
        return CompletableFuture.supplyAsync(() -> shared.claim(REDIS_PREFIX + key, marker, claimTtl), later)
                .thenCompose(again -> again)
                .thenCompose(v -> foundShared(key, fingerprint, marker, v, deadline));
    }

    private Claim settle(String key, LocalWindow.Entry mine, Found found) {
        return switch (found) {
            case Found.Claimed c -> new Ownership(key, mine, c.marker());
            case Found.Unavailable u -> new Ownership(key, mine, null);
            case Found.Answered a
            when a.fingerprint().equals(mine.fingerprint()) -> {
                mine.answer().complete(Optional.of(a.answer()));
                yield new Claim.Repeated(Scope.SHARED, a.answer());
            }
            case Found.Answered a -> drop(key, mine, new Claim.Reused(Scope.SHARED));
            case Found.Pending p
            when p.fingerprint().equals(mine.fingerprint()) -> drop(key, mine, new Claim.InFlight(Scope.SHARED));
            case Found.Pending p -> drop(key, mine, new Claim.Reused(Scope.SHARED));
        };
    }

    private Claim drop(String key, LocalWindow.Entry mine, Claim claim) {
        window.remove(key, mine);
        mine.answer().complete(Optional.empty());
        return claim;
    }

    private Scope scope() {
        return shared.available() ? Scope.SHARED : Scope.LOCAL;
    }

    private void count(@Nullable Claim claim) {
        if (claim != null) {
            ClaimCounters counters = claim.scope() == Scope.SHARED ? sharedCounters : localCounters;
            counters.of(claim).increment();
        }
    }

    private record ClaimCounters(Counter first, Counter repeated, Counter reused, Counter inFlight) {
        static ClaimCounters register(MeterRegistry meters, String scope) {
            return new ClaimCounters(
                    counter(meters, scope, "first"),
                    counter(meters, scope, "repeated"),
                    counter(meters, scope, "reused"),
                    counter(meters, scope, "in_flight"));
        }

        private static Counter counter(MeterRegistry meters, String scope, String result) {
            return Counter.builder("tidegate.ingest.idempotency")
                    .description("Requests with an idempotency key, by what the key turned out to be")
                    .tag("result", result)
                    .tag("scope", scope)
                    .register(meters);
        }

        Counter of(Claim claim) {
            return switch (claim) {
                case Claim.Owned o -> first;
                case Claim.Repeated r -> repeated;
                case Claim.Reused r -> reused;
                case Claim.InFlight i -> inFlight;
            };
        }
    }

    private final class Ownership implements Claim.Owned {
        private final String key;
        private final LocalWindow.Entry mine;
        private final @Nullable String marker;
        private final AtomicBoolean ended = new AtomicBoolean();

        Ownership(String key, LocalWindow.Entry mine, @Nullable String marker) {
            this.key = key;
            this.mine = mine;
            this.marker = marker;
        }

        @Override
        public Scope scope() {
            return marker == null ? Scope.LOCAL : Scope.SHARED;
        }

        @Override
        public void answered(String answer) {
            if (ended.compareAndSet(false, true)) {
                mine.answer().complete(Optional.of(answer));
                // Also when the claim was local: Redis may be back. Nobody waits for it, and RedisKeys counts failures.
                if (shared.available()) {
                    shared.store(REDIS_PREFIX + key, "A" + mine.fingerprint() + answer, ttl);
                }
            }
        }

        @Override
        public void release() {
            if (ended.compareAndSet(false, true)) {
                window.remove(key, mine);
                mine.answer().complete(Optional.empty());
                if (marker != null && shared.available()) {
                    shared.removeIf(REDIS_PREFIX + key, marker);
                }
            }
        }
    }
}

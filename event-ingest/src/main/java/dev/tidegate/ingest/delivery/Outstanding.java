package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The writes that Kafka has not yet acknowledged, in the order in which they were given to it. Bounded by the requests
 * that an instance takes at once (their bodies are held until they are answered). Any thread.
 */
final class Outstanding {
    /** One write. Whoever ends it, Kafka's answer or a take-over, ends it once. */
    static final class Write {
        final long number;
        final Event event;
        final long millis;
        final long startedAt;
        final CompletableFuture<PublishOutcome> answer = new CompletableFuture<>();
        private final AtomicBoolean ended = new AtomicBoolean();
        volatile boolean copied;

        /** Why Kafka will not have it; it then waits to be taken over. */
        volatile PublishOutcome.@Nullable Failed failed;

        private Write(long number, Event event, long millis, long startedAt) {
            this.number = number;
            this.event = event;
            this.millis = millis;
            this.startedAt = startedAt;
        }

        /** Whether it is the caller's to answer. */
        boolean end() {
            return ended.compareAndSet(false, true);
        }

        /** Whether Kafka may have it. */
        boolean doubtful() {
            PublishOutcome.Failed f = failed;
            return f == null || f.uncertain();
        }
    }

    private final AtomicLong numbers = new AtomicLong();
    private final ConcurrentHashMap<Long, Write> writes = new ConcurrentHashMap<>();

    Write add(Event event, long millis, long now) {
        Write w = new Write(numbers.incrementAndGet(), event, millis, now);
        writes.put(w.number, w);
        return w;
    }

    void remove(Write w) {
        writes.remove(w.number);
    }

    int size() {
        return writes.size();
    }

    /** How long the oldest waits; 0 if there is none. */
    long oldestAge(long now) {
        long oldest = 0;
        for (Write w : writes.values()) {
            oldest = Math.max(oldest, now - w.startedAt);
        }
        return oldest;
    }

    /** One that Kafka has refused, or null. */
    PublishOutcome.@Nullable Failed anyFailed() {
        for (Write w : writes.values()) {
            PublishOutcome.Failed f = w.failed;
            if (f != null) {
                return f;
            }
        }
        return null;
    }

    /** All of them, in order; they are still to be ended. */
    List<Write> inOrder() {
        List<Write> all = new ArrayList<>(writes.values());
        all.sort(Comparator.comparingLong(w -> w.number));
        return all;
    }
}

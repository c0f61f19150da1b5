package dev.tidegate.ingest.admission;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The idempotency keys this instance has seen itself: those in flight, which repeats wait for, and the newest answers.
 * Bounded by number, the oldest goes first, and by age. Any thread; the lock is held for a few map operations.
 */
final class LocalWindow {
    /**
     * One key.
     *
     * @param fingerprint of the request that brought it
     * @param answer completes with what the first request was told; empty if it failed
     */
    record Entry(String fingerprint, CompletableFuture<Optional<String>> answer, long expiresAtNanos) {}

    private final int maxEntries;
    private final long ttlNanos;
    private final LongSupplier nanoTime;
    private final Map<String, Entry> entries = new LinkedHashMap<>(); // in order of insertion, guarded by this

    LocalWindow(int maxEntries, long ttlNanos, LongSupplier nanoTime) {
        this.maxEntries = maxEntries;
        this.ttlNanos = ttlNanos;
        this.nanoTime = nanoTime;
    }

    /** A new entry that is not yet in the window. */
    Entry entry(String fingerprint) {
        return new Entry(fingerprint, new CompletableFuture<>(), nanoTime.getAsLong() + ttlNanos);
    }

    /** The entry that is there, or null, and {@code mine} is there now. */
    synchronized @Nullable Entry putIfAbsent(String key, Entry mine) {
        Entry there = entries.get(key);
        if (there != null) {
            if (nanoTime.getAsLong() - there.expiresAtNanos() < 0) {
                return there;
            }
            entries.remove(key);
        }
        entries.put(key, mine);
        if (entries.size() > maxEntries) {
            Iterator<Entry> oldest = entries.values().iterator();
            oldest.next();
            oldest.remove();
        }
        return null;
    }

    /** Takes this very entry out. */
    synchronized void remove(String key, Entry mine) {
        entries.remove(key, mine);
    }

    synchronized int size() {
        return entries.size();
    }
}

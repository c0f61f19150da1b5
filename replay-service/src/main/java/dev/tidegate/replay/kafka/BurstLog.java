package dev.tidegate.replay.kafka;

import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;

/** A warning that may come in bursts: one line a minute at most, with the number of those it stands for. Any thread. */
final class BurstLog {
    private static final long PAUSE_NANOS = 60_000_000_000L;

    private final Logger log;
    private final AtomicLong unseen = new AtomicLong();
    private final AtomicLong nextAt = new AtomicLong(System.nanoTime());

    BurstLog(Logger log) {
        this.log = log;
    }

    /** Warns, or counts. */
    void warn(String message) {
        long count = unseen.incrementAndGet();
        long now = System.nanoTime();
        long at = nextAt.get();
        if (now - at < 0 || !nextAt.compareAndSet(at, now + PAUSE_NANOS)) {
            return;
        }
        unseen.addAndGet(-count);
        log.warn("{}{}", message, count == 1 ? "" : " (" + count + " times since the last such line)");
    }
}

package dev.tidegate.gateway.transport;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;

/**
 * A token bucket as one number: the time at which the bucket would be full again (the generic cell rate algorithm of ATM
 * traffic control). One compare-and-set for a taken token, nothing for a refused one. Any thread.
 */
final class HandshakeRate {
    private final long nanosPerToken;
    private final long burstNanos;
    private final LongSupplier nanoClock;
    private final AtomicLong fullAt;

    /**
     * @param perSecond tokens that flow in per second
     * @param burst tokens the bucket holds
     * @param nanoClock {@link System#nanoTime} in production
     */
    HandshakeRate(int perSecond, int burst, LongSupplier nanoClock) {
        this.nanosPerToken = 1_000_000_000L / perSecond;
        this.burstNanos = nanosPerToken * burst;
        this.nanoClock = nanoClock;
        this.fullAt = new AtomicLong(nanoClock.getAsLong());
    }

    /** Takes a token if there is one. */
    boolean tryTake() {
        long now = nanoClock.getAsLong();
        while (true) {
            long before = fullAt.get();
            long base = before - now > 0 ? before : now;
            long after = base + nanosPerToken;
            if (after - now > burstNanos) {
                return false;
            }
            if (fullAt.compareAndSet(before, after)) {
                return true;
            }
        }
    }
}

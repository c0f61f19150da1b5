package dev.tidegate.backends;

import java.time.Duration;
import java.util.function.BooleanSupplier;

/** Waiting for another process, which cannot tell us when it is ready: by asking again and again, for a bounded time. */
final class Waiting {

    private static final long ASK_EVERY_MS = 20;

    private Waiting() {}

    /** Asks every 20 ms; whether {@code condition} came true within {@code within}. An interrupt ends the wait and stays set. */
    static boolean until(Duration within, BooleanSupplier condition) {
        long deadline = System.nanoTime() + within.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - deadline > 0) {
                return false;
            }
            try {
                Thread.sleep(ASK_EVERY_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }
        return true;
    }
}

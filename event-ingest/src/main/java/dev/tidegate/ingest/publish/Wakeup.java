package dev.tidegate.ingest.publish;

import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;

/**
 * What a thread that looks at something every now and then waits on. However often it is called while it looks, its next wait
 * ends at once, and only that one. {@link #wake} is for any thread and never blocks; one thread waits.
 */
public final class Wakeup {
    private final Semaphore calls = new Semaphore(0);

    /** Ends the wait under way, or the next one. */
    public void wake() {
        calls.release();
    }

    /** Waits so long, or until it is woken. */
    public void await(long millis) throws InterruptedException {
        var _ = calls.tryAcquire(millis, TimeUnit.MILLISECONDS);
        calls.drainPermits();
    }
}

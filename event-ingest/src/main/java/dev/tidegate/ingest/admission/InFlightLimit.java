package dev.tidegate.ingest.admission;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How many requests, and how many bytes of bodies, are in this instance at once: from before a body is read until its
 * answer is known. A request over the bound is refused, not queued: the queue would be memory that we promised not to use,
 * and the publisher's own. Any thread.
 */
public final class InFlightLimit {
    private final int maxRequests;
    private final long maxBytes;
    private final AtomicInteger requests = new AtomicInteger();
    private final AtomicLong bytes = new AtomicLong();

    public InFlightLimit(int maxRequests, long maxBytes) {
        this.maxRequests = maxRequests;
        this.maxBytes = maxBytes;
    }

    /** Takes room for one request of that size; false, and nothing taken, if there is none. */
    public boolean tryAcquire(long size) {
        if (requests.incrementAndGet() > maxRequests) {
            requests.decrementAndGet();
            return false;
        }
        if (bytes.addAndGet(size) > maxBytes) {
            release(size);
            return false;
        }
        return true;
    }

    /** Gives it back. */
    public void release(long size) {
        bytes.addAndGet(-size);
        requests.decrementAndGet();
    }

    /** Requests now. */
    public int requests() {
        return requests.get();
    }

    /** Bytes now. */
    public long bytes() {
        return bytes.get();
    }
}

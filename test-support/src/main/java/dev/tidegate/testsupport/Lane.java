package dev.tidegate.testsupport;

import java.util.concurrent.atomic.AtomicLong;

/** What is done to the bytes of one direction of a {@link FaultyLink}; written by the test, read by every {@link LinkPipe} of the direction. */
final class Lane {

    volatile boolean frozen;
    volatile long delayNanos;
    volatile long jitterNanos;

    /** 0: as many as come. */
    volatile long bytesPerSecond;

    final AtomicLong bytes = new AtomicLong();

    /** When the throttle lets the next byte through, in {@link System#nanoTime()}. */
    private long freeAt = System.nanoTime();

    synchronized void throttle(long rate) {
        bytesPerSecond = rate;
        freeAt = System.nanoTime();
    }

    /** Takes the place of {@code count} bytes in the throttled stream and says when it begins, in {@link System#nanoTime()}. */
    synchronized long reserve(int count, long rate) {
        long begin = Math.max(freeAt, System.nanoTime());
        freeAt = begin + count * 1_000_000_000L / rate;
        return begin;
    }
}

package dev.tidegate.replay.reads;

import java.util.concurrent.atomic.AtomicLong;

/** The bytes that all pages of one tier may hold together, found and not yet sent. Any thread. */
public final class Room {
    private final AtomicLong used = new AtomicLong();
    private final long max;

    /** Room for so many bytes; the event that crosses the bound is still in. */
    public Room(long max) {
        this.max = max;
    }

    /** Bytes in use. */
    public long used() {
        return used.get();
    }

    /** Takes some; false if that was more than there is, and then the page ends with it. */
    boolean take(long bytes) {
        return used.addAndGet(bytes) <= max;
    }

    void giveBack(long bytes) {
        used.addAndGet(-bytes);
    }

    boolean isOver() {
        return used.get() > max;
    }
}

package dev.tidegate.gateway.session;

import java.util.concurrent.TimeUnit;

/**
 * Whether a loop has more to do than it can: tasks wait in its queue for long, and have for a while. Then a few of its
 * connections have to go, again and again until it gets through. A pause (a collection, a stopped process) makes one task
 * wait, not those after it, and sends nobody away. Pure; loop-confined.
 */
final class Pressure {
    /** How long tasks must have waited too long, without a break, before anybody is sent away. */
    static final long SUSTAINED_NANOS = TimeUnit.SECONDS.toNanos(5);

    /** Between two groups that are sent away: time for the loop to feel it. */
    static final long BETWEEN_NANOS = TimeUnit.SECONDS.toNanos(1);

    /** One in so many connections goes at a time. */
    static final int SHARE = 100;

    private final long bearableNanos;
    private boolean pressed;
    private long since;
    private long lastGroup;

    /** @param bearableNanos how long a task may wait in the queue */
    Pressure(long bearableNanos) {
        this.bearableNanos = bearableNanos;
    }

    /**
     * A task of the loop has waited so long.
     *
     * @param now the loop's clock
     * @return how many of these sessions have to go now
     */
    int note(long now, long waitedNanos, int sessions) {
        if (waitedNanos <= bearableNanos) {
            pressed = false;
            return 0;
        }
        if (!pressed) {
            pressed = true;
            since = now;
            lastGroup = now;
            return 0;
        }
        if (now - since < SUSTAINED_NANOS || now - lastGroup < BETWEEN_NANOS) {
            return 0;
        }
        lastGroup = now;
        return Math.ceilDiv(sessions, SHARE);
    }
}

package dev.tidegate.intake;

import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * The connections of one event loop that wait for a request, who has waited longest first; one timer for all of them, and
 * none where nobody waits. Bounded by the intake's connections. Confined to the loop.
 */
final class Waiting {
    private static final long LONGEST_LOOK = TimeUnit.SECONDS.toNanos(1);

    /** Who has waited for less is not closed for a newcomer: a request may well be on its way. */
    private static final long DISPLACED_AFTER = TimeUnit.SECONDS.toNanos(1);

    private final EventLoop loop;
    private final long look;
    private final LinkedHashSet<Arrival> inOrder = new LinkedHashSet<>();
    private boolean scheduled;

    Waiting(EventLoop loop, Intake intake) {
        this.loop = loop;
        this.look = Math.min(LONGEST_LOOK, Math.max(1, intake.headNanos / 4));
    }

    /** The loop's clock. */
    long now() {
        return loop.ticker().nanoTime();
    }

    void add(Arrival arrival) {
        inOrder.add(arrival);
        if (!scheduled) {
            scheduled = true;
            schedule();
        }
    }

    void remove(Arrival arrival) {
        inOrder.remove(arrival);
    }

    /** Closes who has waited longest; false if nobody has for long enough. */
    boolean displace() {
        if (inOrder.isEmpty()) {
            return false;
        }
        Arrival longest = inOrder.getFirst();
        if (now() - longest.since() < DISPLACED_AFTER) {
            return false;
        }
        longest.displaced();
        return true;
    }

    private void schedule() {
        try {
            var _ = loop.schedule(this::look, look, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            inOrder.clear(); // the loop ends, and its connections with it
        }
    }

    private void look() {
        long now = now();
        List<Arrival> late = new ArrayList<>();
        for (Arrival a : inOrder) {
            if (a.isLate(now)) {
                late.add(a);
            }
        }
        late.forEach(Arrival::late);
        scheduled = !inOrder.isEmpty();
        if (scheduled) {
            schedule();
        }
    }
}

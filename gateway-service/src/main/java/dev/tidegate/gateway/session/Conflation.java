package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import java.nio.ByteBuffer;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * The newest event of each subject of one channel, kept on one loop while a subscription there is slow and its namespace
 * conflates. One for all slow subscriptions of the channel: each has a position, and is owed what lies above it, so a
 * slow connection costs no bytes of its own. Exists from the first one's parking to the last one's going on, and is given
 * every event of the channel in between. Loop-confined.
 *
 * <p>The map is ordered by offset, since an event that takes another's place goes to the end. An event is delivered
 * with the frame it always had; where events were skipped before it, a gap {@code overflow} that ends right before it
 * comes first, so {@code prev} stays true and nothing is skipped in silence. What a bound made it forget is skipped in the
 * same way: each kept event knows the one before it in the channel.
 */
final class Conflation {
    /** The bytes that all channels of a loop may keep. Loop-confined. */
    static final class Budget {
        private final SessionLimits.Kept bounds;
        private final LongAdder overflows;
        private long used;

        Budget(SessionLimits.Kept bounds, LongAdder overflows) {
            this.bounds = bounds;
            this.overflows = overflows;
        }

        long used() {
            return used;
        }
    }

    /** What an entry costs beside its frames: map entry, key, batch of one and its arrays, buffer objects (estimated). */
    static final int ENTRY_BYTES = 512;

    private static final ByteBuffer NO_SUBJECT = ByteBuffer.allocate(0);

    /** @param prev the offset of the channel's event before this one, or of a position below which there is none */
    private record Kept(LoopBatch event, long offset, long prev, int cost) {}

    private final LinkedHashMap<ByteBuffer, Kept> newest = new LinkedHashMap<>();
    private final Budget budget;

    /** Subscriptions that are owed something. */
    int slow;

    Conflation(Budget budget) {
        this.budget = budget;
    }

    /** Takes in a segment of the channel; {@code lastOffset} is that of the channel's last event before it. */
    void keep(LoopBatch batch, int segment, long lastOffset) {
        long prev = lastOffset;
        for (int e = 0, n = batch.events(segment); e < n; e++) {
            long offset = batch.offset(segment, e);
            if (offset > prev) {
                byte[] subject = batch.subject(segment, e);
                keep(subject == null ? NO_SUBJECT : ByteBuffer.wrap(subject), batch.copyOf(segment, e), prev);
                prev = offset;
            }
        }
    }

    private void keep(ByteBuffer subject, LoopBatch event, long prev) {
        Kept before = newest.remove(subject);
        if (before != null) {
            forget(before);
        }
        int cost = ENTRY_BYTES + event.bytes() + subject.remaining();
        while (!newest.isEmpty()
                && (newest.size() >= budget.bounds.subjects() || budget.used + cost > budget.bounds.bytes())) {
            Iterator<Kept> oldest = newest.values().iterator();
            forget(oldest.next());
            oldest.remove();
            budget.overflows.increment();
        }
        if (budget.used + cost > budget.bounds.bytes()) {
            event.release();
            budget.overflows.increment();
            return;
        }
        budget.used += cost;
        newest.put(subject, new Kept(event, event.firstOffset(0), prev, cost));
    }

    private void forget(Kept kept) {
        budget.used -= kept.cost();
        kept.event().release();
    }

    /**
     * Delivers what the subscription is owed, as far as its connection takes it; its position moves along.
     *
     * @return whether it has been given everything and can go on live
     */
    boolean deliver(Subscription sub) {
        for (Kept k : newest.values()) {
            if (k.offset() <= sub.position) {
                continue;
            }
            if (!sub.writable()) {
                return false;
            }
            if (k.prev() > sub.position) {
                sub.overflow(k.offset() - 1);
            }
            sub.session.write(sub, k.event(), 0, 0, 1);
            sub.position = k.offset();
            sub.session.shard.shared.metrics().conflated.increment();
        }
        sub.overflow(sub.channel.lastOffset); // of what a bound has made this forget
        return true;
    }

    /** Forgets everything. */
    void clear() {
        newest.values().forEach(this::forget);
        newest.clear();
    }
}

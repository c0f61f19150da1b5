package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import org.jspecify.annotations.Nullable;

/**
 * A segment some of whose events have been delivered provisionally on this loop: who has them is told a position in their
 * place, so that {@code prev <= position < offset} holds for what follows. Lives while the segment is being delivered.
 * Loop-confined.
 */
final class Reconciliation {
    private final LoopBatch batch;
    private final int segment;
    private final int[] numbers; // per event the number of its provisional delivery, 0 if there was none
    private long reconciled;

    private Reconciliation(LoopBatch batch, int segment, int[] numbers) {
        this.batch = batch;
        this.segment = segment;
        this.numbers = numbers;
    }

    /** The records have come: null if none of them was delivered provisionally here, as nearly always. */
    static @Nullable Reconciliation of(ShardChannel channel, LoopBatch batch, int segment) {
        ProvisionalWindow window = channel.provisional;
        if (window == null || !batch.hasProvisional()) {
            return null;
        }
        int[] numbers = null;
        int n = batch.events(segment);
        for (int e = 0; e < n; e++) {
            byte[] id = batch.provisionalId(segment, e);
            int number = id == null ? 0 : window.came(id);
            if (number != 0) {
                if (numbers == null) {
                    numbers = new int[n];
                }
                numbers[e] = number;
            }
        }
        if (window.isEmpty()) {
            channel.provisional = null;
        }
        return numbers == null ? null : new Reconciliation(batch, segment, numbers);
    }

    /** Writes the segment from this event on, as this subscriber needs it; returns the number of events in it. */
    int write(Subscription sub, int fromEvent) {
        int n = numbers.length;
        int written = 0;
        int e = fromEvent;
        while (e < n) {
            boolean has = has(sub, e);
            int end = e + 1;
            while (end < n && has(sub, end) == has) {
                end++;
            }
            if (has) {
                long at = batch.offset(segment, end - 1);
                sub.position = at;
                sub.session.sendPosition(sub, sub.cursor(at));
                reconciled += end - e;
            } else {
                sub.session.write(sub, batch, segment, e, end);
                written += end - e;
            }
            e = end;
        }
        return written;
    }

    private boolean has(Subscription sub, int event) {
        return numbers[event] != 0 && ProvisionalWindow.has(numbers[event], sub.lastMissed);
    }

    /** Events told as positions so far: one per event and subscriber. */
    long reconciled() {
        return reconciled;
    }
}

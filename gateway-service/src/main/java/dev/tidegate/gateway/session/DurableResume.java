package dev.tidegate.gateway.session;

import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.session.DurableStore.Found;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import org.jspecify.annotations.Nullable;

/**
 * A subscription that is held while its durable cursor is looked up: live events go to its merge's buffer, which waits.
 *
 * <pre>
 * LOOKING_UP -> resumes   the cursor was found: the ordinary path from there ({@link Resumes})
 *            -> last n    never acknowledged, and the client asked for its newest events in that case
 *            -> live      never acknowledged: from the moment of the subscribe on ("recovery": "none")
 *            -> WAITING   the store is away: told to the client as "pending"; nothing is made up meanwhile
 *            -> failed    the store refuses for good
 * WAITING    -> LOOKING_UP after a back-off with jitter
 * </pre>
 *
 * <p>Unsubscribing or the connection's end cancels the merge, after which an answer finds nobody. Loop-confined.
 */
final class DurableResume {
    final Subscription sub;
    private final CursorKey key;
    private final Resumes resumes;
    private final LoopShard shard;
    private boolean asked;
    private int attempts;
    private long retryAt;

    DurableResume(Subscription sub, CursorKey key, Resumes resumes, LoopShard shard) {
        this.sub = sub;
        this.key = key;
        this.resumes = resumes;
        this.shard = shard;
    }

    void ask() {
        asked = true;
        shard.shared.metrics().durableLookUps.increment();
        shard.shared.cursors().find(key, found -> shard.loop.execute(() -> onFound(found)));
    }

    /** Time passes. */
    void onTick(long now) {
        if (!asked && now - retryAt >= 0) {
            ask();
        }
    }

    private void onFound(Found found) {
        asked = false;
        ReplayMerge merge = held();
        if (merge == null) {
            return;
        }
        switch (found) {
            case Found.At at -> {
                merge.startAfter(at.cursor());
                resumes.handOver(this);
            }
            case Found.Never n -> {
                if (merge.last() > 0) {
                    merge.startWithLast();
                    resumes.handOver(this);
                } else {
                    merge.startFromSplice();
                }
            }
            case Found.Failed f -> {
                if (f.code() == ErrorCode.UNAVAILABLE) {
                    shard.shared.metrics().durableRetries.increment();
                    merge.holdOn(f.message());
                    long backOff = shard.shared.limits().replay().retryNanos() << Math.min(attempts++, 4);
                    retryAt = shard.loop.ticker().nanoTime() + backOff / 2 + shard.random.nextLong(backOff / 2 + 1);
                } else {
                    merge.refuse(f.code(), f.message());
                }
            }
        }
        shard.flushDirty();
    }

    private @Nullable ReplayMerge held() {
        ReplayMerge merge = sub.merge;
        return merge != null && merge.isHeld() ? merge : null;
    }
}

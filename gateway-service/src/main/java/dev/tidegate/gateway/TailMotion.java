package dev.tidegate.gateway;

import dev.tidegate.gateway.backplane.KafkaTailer;
import org.jspecify.annotations.Nullable;

/** Ties a knot: shards ask whether the tail is moving, and the tailer needs the shards before it can be made. */
final class TailMotion {
    private volatile @Nullable KafkaTailer tailer;

    void of(KafkaTailer t) {
        tailer = t;
    }

    boolean isMoving() {
        KafkaTailer t = tailer;
        return t != null && t.state() == KafkaTailer.State.TAILING;
    }
}

package dev.tidegate.replay.tiers;

import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RecentReader;
import org.jspecify.annotations.Nullable;

/** What one call reuses from request to request. For one thread at a time. */
public final class Scratch {
    private @Nullable RecentLog log;
    private @Nullable RecentReader reader;

    RecentReader readerOf(RecentLog of) {
        RecentReader r = reader;
        if (r == null || log != of) {
            r = of.reader();
            reader = r;
            log = of;
        }
        return r;
    }
}

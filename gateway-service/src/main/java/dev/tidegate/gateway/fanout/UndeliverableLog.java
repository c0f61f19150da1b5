package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.FanoutRecord;
import java.util.EnumMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One line a minute at most about records that cannot be delivered, with counts. Belongs to the tailer thread. */
final class UndeliverableLog {
    private static final Logger LOG = LoggerFactory.getLogger(UndeliverableLog.class);
    private static final long INTERVAL_NANOS = 60_000_000_000L;

    private final Map<FanoutRecord.Undeliverable, Long> counts = new EnumMap<>(FanoutRecord.Undeliverable.class);
    private long lastLogged = System.nanoTime() - INTERVAL_NANOS;

    void note(FanoutRecord.Undeliverable cause, int partition, long offset) {
        counts.merge(cause, 1L, Long::sum);
        long now = System.nanoTime();
        if (now - lastLogged < INTERVAL_NANOS) {
            return;
        }
        lastLogged = now;
        LOG.warn(
                "Records that cannot be delivered: {}; the last one: {} at partition {} offset {}",
                counts,
                cause,
                partition,
                offset);
        counts.clear();
    }
}

package dev.tidegate.gateway.session;

import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One line a minute at most about clients that wait for the replay service, with the cause. Loop-confined. */
final class PendingLog {
    private static final Logger LOG = LoggerFactory.getLogger(PendingLog.class);
    private static final long INTERVAL_NANOS = TimeUnit.MINUTES.toNanos(1);

    private long count;
    private long toldAt;
    private boolean told;

    void note(String why, long now) {
        count++;
        if (!told || now - toldAt >= INTERVAL_NANOS) {
            LOG.warn(
                    "{} resumes wait for the replay service since this was last said: {}",
                    count,
                    why.isEmpty() ? "no answer yet" : why);
            told = true;
            toldAt = now;
            count = 0;
        }
    }
}

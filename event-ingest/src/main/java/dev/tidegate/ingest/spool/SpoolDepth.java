package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.SpoolSettings;

/**
 * How much is in the spool, as far as this instance knows: what the watch counted last, and what was inserted here since.
 * So the bound can be overshot by what other instances insert between two counts. Any thread.
 */
public final class SpoolDepth {
    private final long maxRows;
    private final long maxBytes;
    private long rows;
    private long bytes;
    private long oldest;
    private long faulty;

    /** Nothing is known yet. */
    public SpoolDepth(SpoolSettings settings) {
        this.maxRows = settings.maxRows();
        this.maxBytes = settings.maxSize().toBytes();
    }

    /**
     * The watch has counted.
     *
     * @param oldestMillis when the oldest was accepted; 0 if there is none
     */
    synchronized void counted(long newRows, long newBytes, long oldestMillis, long newFaulty) {
        rows = newRows;
        bytes = newBytes;
        oldest = oldestMillis;
        faulty = newFaulty;
    }

    /** Some were inserted here. */
    synchronized void inserted(long more, long moreBytes) {
        if (rows == 0) {
            oldest = System.currentTimeMillis();
        }
        rows += more;
        bytes += moreBytes;
    }

    /** Whether it holds as much as it may. */
    public synchronized boolean full() {
        return rows >= maxRows || bytes >= maxBytes;
    }

    /** Events in it. */
    public synchronized long rows() {
        return rows;
    }

    /** Their bytes. */
    public synchronized long bytes() {
        return bytes;
    }

    /** Events that can never be relayed, besides. */
    public synchronized long faulty() {
        return faulty;
    }

    /** Age of the oldest, in seconds; 0 if there is none. */
    public synchronized double oldestSeconds() {
        return rows == 0 ? 0 : Math.max(0, System.currentTimeMillis() - oldest) / 1_000.0;
    }
}

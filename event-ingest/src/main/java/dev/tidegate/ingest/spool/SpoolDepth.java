package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.SpoolSettings;
import java.util.List;

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
    private long held;
    private List<SpoolRows.Held> heldUpBy = List.of();

    /** Nothing is known yet. */
    public SpoolDepth(SpoolSettings settings) {
        this.maxRows = settings.maxRows();
        this.maxBytes = settings.maxSize().toBytes();
    }

    /**
     * The watch has counted.
     *
     * @param oldestMillis when the oldest was accepted; 0 if there is none
     * @param newHeld how many of the rows cannot be relayed now
     */
    synchronized void counted(long newRows, long newBytes, long oldestMillis, long newFaulty, long newHeld) {
        rows = newRows;
        bytes = newBytes;
        oldest = oldestMillis;
        faulty = newFaulty;
        held = newHeld;
    }

    /** Which rows hold up their channels. */
    synchronized void heldUpBy(List<SpoolRows.Held> rowsThatCannotBeRead) {
        heldUpBy = rowsThatCannotBeRead;
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

    /**
     * Whether there is room for more behind what cannot be relayed: channels that wait for a person do not get more than
     * half of it, so that an outage of Kafka finds the other half.
     */
    public synchronized boolean roomBehindHeld() {
        return rows < maxRows / 2 && bytes < maxBytes / 2;
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

    /** Events in it that cannot be relayed now: those that cannot be read here, and what follows them in their channels. */
    public synchronized long held() {
        return held;
    }

    /** How many of them cannot be read here: at least one for each channel that is held up. */
    public synchronized long unreadable() {
        return heldUpBy.size();
    }

    /** The first that cannot be read, and why; for people. */
    public synchronized String firstUnreadable() {
        return heldUpBy.isEmpty() ? "none" : heldUpBy.getFirst().toString();
    }

    /** Events in it that can be relayed. */
    synchronized long relayable() {
        return rows - held;
    }

    /** Age of the oldest, in seconds; 0 if there is none. */
    public synchronized double oldestSeconds() {
        return rows == 0 ? 0 : Math.max(0, System.currentTimeMillis() - oldest) / 1_000.0;
    }
}

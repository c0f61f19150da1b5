package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.publish.Event;
import java.util.concurrent.CompletableFuture;

/** Keeps events until Kafka can be written: a table in PostgreSQL, or nothing where there shall be no spool. */
public interface SpoolQueue {
    /** What became of an event. */
    enum Kept {
        /** It is committed. */
        COMMITTED,
        /** There is no spool now; it is not kept. */
        AWAY,
        /** The spool holds as much as it may; it is not kept. */
        FULL,
        /** It did not get its turn in time; it is not kept. */
        LATE,
        /** The commit was not answered: it is kept or not. */
        IN_DOUBT
    }

    /**
     * Keeps an event. Never blocks; within a bound. Events of one channel given in order are kept in that order.
     *
     * @param millis the time stamp that its record is to have
     * @param doubtful whether Kafka may have it already
     */
    CompletableFuture<Kept> keep(Event event, long millis, boolean doubtful);

    /** Whether there is room for events that wait behind ones that cannot be relayed, perhaps for days. */
    boolean roomBehindHeld();

    /** Whether it would take an event now. */
    boolean usable();
}

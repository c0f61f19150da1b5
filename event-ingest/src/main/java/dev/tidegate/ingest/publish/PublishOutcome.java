package dev.tidegate.ingest.publish;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;

/** What became of an event. */
public sealed interface PublishOutcome {
    /** Every in-sync replica has it. */
    record Stored(Cursor cursor) implements PublishOutcome {}

    /** An ephemeral one: Redis has passed it on to whoever listened; nobody keeps it. */
    record Sent() implements PublishOutcome {}

    /** It is committed in the spool, and Kafka will have it. */
    record Spooled() implements PublishOutcome {}

    /** Whose fault a failure is. */
    enum Fault {
        /** The event's own: it will never be taken. */
        EVENT,
        /** Nobody's: more is on its way than there is room for. */
        LOAD,
        /** That of what should have taken it: another way, or a later attempt, may succeed. */
        BACKEND
    }

    /**
     * Nobody acknowledged it.
     *
     * @param code {@code unavailable}: the publisher should try again; others: it should not
     * @param uncertain whether it may have been stored all the same: the acknowledgement is missing, not the event
     */
    record Failed(ErrorCode code, String message, boolean uncertain, Fault fault) implements PublishOutcome {}
}

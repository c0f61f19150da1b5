package dev.tidegate.ingest.publish;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;

/** What became of an event. */
public sealed interface PublishOutcome {
    /** Every in-sync replica has it. */
    record Stored(Cursor cursor) implements PublishOutcome {}

    /** An ephemeral one: Redis has passed it on to whoever listened; nobody keeps it. */
    record Sent() implements PublishOutcome {}

    /**
     * Nobody acknowledged it.
     *
     * @param code {@code unavailable}: the publisher should try again; {@code too_large}: it should not
     * @param uncertain whether it may have been stored all the same: the acknowledgement is missing, not the event
     */
    record Failed(ErrorCode code, String message, boolean uncertain) implements PublishOutcome {}
}

package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Claim;
import org.jspecify.annotations.Nullable;

/** What a publisher is told about one event. */
sealed interface Answer {
    /** How it was taken. */
    enum How {
        /** Kafka has it. */
        STORED(201, "stored"),
        /** It is in the spool, and Kafka will have it. */
        SPOOLED(202, "spooled"),
        /** Redis has passed it on; it is an ephemeral one. */
        SENT(201, "sent"),
        /** It was taken before, by a request with the same key. */
        REPEATED(200, "repeated");

        final int status;
        final String outcome;

        How(int status, String outcome) {
            this.status = status;
            this.outcome = outcome;
        }
    }

    /**
     * It is taken.
     *
     * @param json the answer's body; of a repeated key, the first answer's
     * @param scope where the key was looked up; null if there was none
     */
    record Taken(String json, How how, Claim.@Nullable Scope scope) implements Answer {}

    /** It is not taken, or not known to be. */
    record Refused(Problem problem, Claim.@Nullable Scope scope) implements Answer {}
}

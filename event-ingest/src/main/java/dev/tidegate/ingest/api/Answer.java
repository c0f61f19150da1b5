package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Claim;
import org.jspecify.annotations.Nullable;

/** What a publisher is told about one event. */
sealed interface Answer {
    /**
     * It is stored.
     *
     * @param json the answer's body; of a repeated key, the first answer's
     * @param repeated whether it was stored before, by a request with the same key
     * @param scope where the key was looked up; null if there was none
     */
    record Stored(String json, boolean repeated, Claim.@Nullable Scope scope) implements Answer {}

    /** It is not stored, or not known to be. */
    record Refused(Problem problem, Claim.@Nullable Scope scope) implements Answer {}
}

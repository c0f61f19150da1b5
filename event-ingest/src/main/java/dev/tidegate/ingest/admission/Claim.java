package dev.tidegate.ingest.admission;

/** What an idempotency key turned out to be. */
public sealed interface Claim {
    /** Where a key was looked up. */
    enum Scope {
        /** In Redis: the answer holds for every instance. */
        SHARED,
        /** In this instance's memory only, because Redis is away. */
        LOCAL
    }

    /** Where it was looked up. */
    Scope scope();

    /** New, and now the caller's, who must call {@link #answered} or {@link #release} once. */
    non-sealed interface Owned extends Claim {
        /** The request succeeded; {@code answer} is what repeats are told. */
        void answered(String answer);

        /** The request failed; the next one with this key is a first one again. */
        void release();
    }

    /** Seen before, with the same request; {@code answer} is what the first one was told. */
    record Repeated(Scope scope, String answer) implements Claim {}

    /** Seen before, with another request. */
    record Reused(Scope scope) implements Claim {}

    /** The first request with it is still being worked on, for longer than we wait. */
    record InFlight(Scope scope) implements Claim {}
}

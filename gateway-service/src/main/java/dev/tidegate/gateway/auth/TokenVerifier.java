package dev.tidegate.gateway.auth;

import java.util.function.Consumer;

/** Verifies bearer tokens: signature, time, issuer, audience. */
public interface TokenVerifier {
    /** Verifies; {@code done} is called once, at once or from another thread (a key set may have to be fetched). */
    void verify(String token, Consumer<Verdict> done);

    /** What a token is worth. */
    sealed interface Verdict {
        /** Good. */
        record Accepted(Identity identity) implements Verdict {}

        /** Not good; the message may be told to the client. */
        record Rejected(String message) implements Verdict {}

        /** Cannot be judged now: the issuer's keys cannot be had. The client may try again. */
        record Undecided(String message) implements Verdict {}
    }
}

package dev.tidegate.gateway.auth;

import dev.tidegate.tokens.JwtVerifier;
import dev.tidegate.tokens.TokenClaims;
import java.util.function.Consumer;

/** Identities from JSON Web Tokens, as all services judge them. Any thread. */
public final class JwtIdentities implements TokenVerifier, AutoCloseable {
    private final JwtVerifier tokens;

    /** @param tokens closed with this */
    public JwtIdentities(JwtVerifier tokens) {
        this.tokens = tokens;
    }

    @Override
    public void verify(String token, Consumer<Verdict> done) {
        tokens.verify(
                token,
                verdict -> done.accept(
                        switch (verdict) {
                            case JwtVerifier.Verdict.Accepted(TokenClaims c) ->
                                new Verdict.Accepted(
                                        new Identity(c.subject(), c.expiresAtMillis(), c.subscribe(), c.publish()));
                            case JwtVerifier.Verdict.Rejected(String message) -> new Verdict.Rejected(message);
                            case JwtVerifier.Verdict.Undecided(String message) -> new Verdict.Undecided(message);
                        }));
    }

    @Override
    public void close() {
        tokens.close();
    }
}

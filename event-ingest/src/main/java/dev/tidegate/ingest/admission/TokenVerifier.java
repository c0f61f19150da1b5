package dev.tidegate.ingest.admission;

import dev.tidegate.ingest.config.AuthSettings;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.tokens.IssuerKeys;
import dev.tidegate.tokens.JwtVerifier;
import dev.tidegate.tokens.JwtVerifier.Verdict;
import dev.tidegate.tokens.RememberedTokens;
import dev.tidegate.tokens.TokenClaims;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.concurrent.CompletableFuture;

/**
 * Whose token it is, as all services judge it. Good tokens are remembered, so a publisher that sends the same one with
 * every event pays for its signature once. Any thread; never blocks.
 */
public final class TokenVerifier implements AutoCloseable {
    private final RememberedTokens tokens;

    /** Of the configured secret and key set; a kind of token that is not configured is refused. */
    public TokenVerifier(AuthSettings settings, Clock clock) {
        String secret = settings.hs256Secret();
        String url = settings.jwksUrl();
        this.tokens = new RememberedTokens(
                new JwtVerifier(
                        secret == null ? null : secret.getBytes(StandardCharsets.UTF_8),
                        url == null
                                ? null
                                : new IssuerKeys(URI.create(url), settings.jwksRefresh(), settings.jwksOutage()),
                        new JwtVerifier.Rules(settings.issuer(), settings.audience(), settings.clockSkew()),
                        clock),
                clock);
    }

    /** The token's subject; fails with a {@link ProtocolException} {@code unauthenticated} or {@code unavailable}. */
    public CompletableFuture<Publisher> verify(String token) {
        CompletableFuture<Publisher> publisher = new CompletableFuture<>();
        tokens.verify(token, verdict -> {
            boolean _ = switch (verdict) {
                case Verdict.Accepted(TokenClaims c) ->
                    publisher.complete(new Publisher.Subject(c.subject(), c.expiresAtMillis(), c.publish()));
                case Verdict.Rejected(String message) ->
                    publisher.completeExceptionally(failure(ErrorCode.UNAUTHENTICATED, message));
                case Verdict.Undecided(String message) ->
                    publisher.completeExceptionally(failure(ErrorCode.UNAVAILABLE, message));
            };
        });
        return publisher;
    }

    @Override
    public void close() {
        tokens.close();
    }

    private static ProtocolException failure(ErrorCode code, String message) {
        return new ProtocolException(code, "Authorization: " + message);
    }
}

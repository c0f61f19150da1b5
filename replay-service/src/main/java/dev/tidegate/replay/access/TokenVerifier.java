package dev.tidegate.replay.access;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.AuthSettings;
import dev.tidegate.tokens.IssuerKeys;
import dev.tidegate.tokens.JwtVerifier;
import dev.tidegate.tokens.JwtVerifier.Verdict;
import dev.tidegate.tokens.RememberedTokens;
import dev.tidegate.tokens.TokenClaims;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import reactor.core.publisher.Mono;

/** Whose token it is, as all services judge it. Good tokens are remembered. Any thread; never blocks. */
public final class TokenVerifier implements AutoCloseable {
    private final RememberedTokens tokens;

    /** Of the configured secret and key set; a kind of token that is not configured is refused. */
    public TokenVerifier(AuthSettings settings) {
        Clock clock = Clock.systemUTC();
        String secret = settings.hs256Secret();
        URI url = settings.jwksUrl();
        this.tokens = new RememberedTokens(
                new JwtVerifier(
                        secret == null ? null : secret.getBytes(StandardCharsets.UTF_8),
                        url == null ? null : new IssuerKeys(url, settings.jwksRefresh(), settings.jwksOutage()),
                        new JwtVerifier.Rules(settings.issuer(), settings.audience(), settings.clockSkew()),
                        clock),
                clock);
    }

    /** Whose token this is; fails with a {@link ProtocolException} {@code unauthenticated} or {@code unavailable}. */
    public Mono<Reader> verify(String token) {
        return Mono.create(sink -> tokens.verify(token, verdict -> {
            switch (verdict) {
                case Verdict.Accepted(TokenClaims c) ->
                    sink.success(new Reader(c.subject(), c.expiresAtMillis(), c.subscribe()));
                case Verdict.Rejected(String message) -> sink.error(failure(ErrorCode.UNAUTHENTICATED, message));
                case Verdict.Undecided(String message) -> sink.error(failure(ErrorCode.UNAVAILABLE, message));
            }
        }));
    }

    @Override
    public void close() {
        tokens.close();
    }

    static Mono<Reader> refused(String message) {
        return Mono.error(failure(ErrorCode.UNAUTHENTICATED, message));
    }

    private static ProtocolException failure(ErrorCode code, String message) {
        return new ProtocolException(code, "Authorization: " + message);
    }
}

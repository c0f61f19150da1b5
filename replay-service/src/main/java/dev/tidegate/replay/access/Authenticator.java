package dev.tidegate.replay.access;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * Says who a call is from, by its {@code Authorization} header. A wrong token is refused even where none would have been
 * needed: its sender believes to be somebody. Any thread.
 */
public final class Authenticator {
    private static final String SCHEME = "Bearer ";

    private final byte @Nullable [] serviceToken;
    private final TokenVerifier tokens;

    /**
     * With these credentials.
     *
     * @param serviceToken what gateways show; null: none is believed
     */
    public Authenticator(@Nullable String serviceToken, TokenVerifier tokens) {
        this.serviceToken = serviceToken == null ? null : serviceToken.getBytes(StandardCharsets.UTF_8);
        this.tokens = tokens;
    }

    /** Who reads; fails with a {@link ProtocolException} {@code unauthenticated} or {@code unavailable}. */
    public Mono<Reader> reader(@Nullable String authorization) {
        if (authorization == null) {
            return Mono.just(Reader.ANONYMOUS);
        }
        String token = bearer(authorization);
        return token == null
                ? TokenVerifier.refused("not a bearer token (expected: 'Bearer <token>')")
                : tokens.verify(token);
    }

    /** Lets a gateway pass. @throws ProtocolException {@code unauthenticated} */
    public void checkService(@Nullable String authorization) {
        String token = authorization == null ? null : bearer(authorization);
        boolean ok = token != null
                && serviceToken != null
                && MessageDigest.isEqual(serviceToken, token.getBytes(StandardCharsets.UTF_8));
        if (!ok) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED,
                    "Authorization: " + (token == null ? "missing" : "wrong")
                            + (serviceToken == null
                                    ? " (tidegate.auth.service-token is not set here, so no gateway is believed)"
                                    : " (expected: 'Bearer <tidegate.auth.service-token>')"));
        }
    }

    private static @Nullable String bearer(String authorization) {
        return authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
                ? authorization.substring(SCHEME.length()).strip()
                : null;
    }
}

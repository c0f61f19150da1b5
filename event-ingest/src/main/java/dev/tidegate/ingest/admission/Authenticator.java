package dev.tidegate.ingest.admission;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.springframework.web.util.UriUtils;

/**
 * Says who a request is from, by its {@code Authorization} header. Any thread; never blocks: a verification that may have
 * to fetch keys runs elsewhere. A wrong token is refused even where none would have been needed: its sender believes to be
 * somebody.
 */
public final class Authenticator {
    private static final String SCHEME = "Bearer ";

    private final byte @Nullable [] serviceToken;
    private final TokenVerifier tokens;

    /**
     * With these credentials.
     *
     * @param serviceToken the shared secret of Tidegate's services; null = none is accepted
     * @param tokens verifies those of publishers
     */
    public Authenticator(@Nullable String serviceToken, TokenVerifier tokens) {
        this.serviceToken = serviceToken == null ? null : serviceToken.getBytes(StandardCharsets.UTF_8);
        this.tokens = tokens;
    }

    /**
     * The publisher; fails with a {@link ProtocolException} {@code unauthenticated}, or {@code unavailable} if keys cannot
     * be had now.
     *
     * @param authorization the header, or null
     * @param onBehalfOf the header {@code Tidegate-Subject}, believed only of a service
     */
    public CompletableFuture<Publisher> authenticate(@Nullable String authorization, @Nullable String onBehalfOf) {
        if (authorization == null) {
            return CompletableFuture.completedFuture(Publisher.ANONYMOUS);
        }
        if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            return refused("Authorization: expected 'Bearer <token>'");
        }
        String token = authorization.substring(SCHEME.length()).strip();
        if (serviceToken != null && MessageDigest.isEqual(serviceToken, token.getBytes(StandardCharsets.UTF_8))) {
            return service(onBehalfOf);
        }
        return tokens.verify(token);
    }

    /** Services percent-encode their client's subject, since a header is ASCII. */
    private static CompletableFuture<Publisher> service(@Nullable String onBehalfOf) {
        try {
            String subject = onBehalfOf == null ? null : UriUtils.decode(onBehalfOf, StandardCharsets.UTF_8);
            return CompletableFuture.completedFuture(new Publisher.Service(subject));
        } catch (IllegalArgumentException e) {
            return CompletableFuture.failedFuture(new ProtocolException(
                    ErrorCode.BAD_REQUEST, "Tidegate-Subject: not percent-encoded (expected: UTF-8, percent-encoded)"));
        }
    }

    static CompletableFuture<Publisher> refused(String message) {
        return CompletableFuture.failedFuture(new ProtocolException(ErrorCode.UNAUTHENTICATED, message));
    }
}

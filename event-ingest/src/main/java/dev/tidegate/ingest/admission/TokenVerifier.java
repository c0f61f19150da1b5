package dev.tidegate.ingest.admission;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.source.ImmutableSecret;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.DefaultResourceRetriever;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.JWTProcessor;
import dev.tidegate.ingest.config.AuthSettings;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.net.MalformedURLException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.time.Clock;
import java.time.Duration;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * Verifies JWTs: signature, time, issuer, audience, and reads {@code sub} and {@code publish}. HS256 tokens by the shared
 * secret, on the calling thread (some ten microseconds); tokens of RSA and EC keys by a key set, on a virtual thread,
 * since the set may have to be fetched: it is kept, fetched again when a token names an unknown key, and outlives an
 * outage of its server. Good tokens are remembered, so a publisher that sends the same one with every event pays for its
 * signature once. Any thread.
 */
public final class TokenVerifier {
    /** Good tokens remembered; when full they are all forgotten, which costs one verification each. */
    private static final int REMEMBERED = 10_000;

    /** Verifications on virtual threads at once; the next is told {@code unavailable}. */
    private static final int MAX_WAITING = 256;

    private static final int KEY_SET_TIMEOUT_MILLIS = 2_000;
    private static final int KEY_SET_MAX_BYTES = 256 << 10;

    private static final Set<JWSAlgorithm> BY_SECRET = Set.of(JWSAlgorithm.HS256);
    private static final Set<JWSAlgorithm> BY_KEY_SET = Set.of(
            JWSAlgorithm.RS256,
            JWSAlgorithm.RS384,
            JWSAlgorithm.RS512,
            JWSAlgorithm.PS256,
            JWSAlgorithm.PS384,
            JWSAlgorithm.PS512,
            JWSAlgorithm.ES256,
            JWSAlgorithm.ES384,
            JWSAlgorithm.ES512);

    private final @Nullable JWTProcessor<SecurityContext> bySecret;
    private final @Nullable JWTProcessor<SecurityContext> byKeySet;
    private final Duration clockSkew;
    private final Clock clock;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Semaphore waiting = new Semaphore(MAX_WAITING);
    private final Map<String, Publisher.Subject> good = new ConcurrentHashMap<>();

    /** Of the configured secret and key set; a kind of token that is not configured is refused. */
    public TokenVerifier(AuthSettings settings, Clock clock) {
        String secret = settings.hs256Secret();
        this.bySecret = secret == null
                ? null
                : processor(BY_SECRET, new ImmutableSecret<>(secret.getBytes(StandardCharsets.UTF_8)), settings);
        String url = settings.jwksUrl();
        this.byKeySet = url == null ? null : processor(BY_KEY_SET, keySet(url, settings), settings);
        this.clockSkew = settings.clockSkew();
        this.clock = clock;
    }

    private static JWTProcessor<SecurityContext> processor(
            Set<JWSAlgorithm> algorithms, JWKSource<SecurityContext> keys, AuthSettings settings) {
        DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(algorithms, keys));
        JWTClaimsSet.Builder exact = new JWTClaimsSet.Builder();
        if (settings.issuer() != null) {
            exact.issuer(settings.issuer());
        }
        Set<String> audience = settings.audience() == null ? null : Set.of(settings.audience());
        DefaultJWTClaimsVerifier<SecurityContext> claims =
                new DefaultJWTClaimsVerifier<>(audience, exact.build(), Set.of("sub"), Set.of());
        claims.setMaxClockSkew(Math.toIntExact(settings.clockSkew().toSeconds()));
        processor.setJWTClaimsSetVerifier(claims);
        return processor;
    }

    private static JWKSource<SecurityContext> keySet(String url, AuthSettings settings) {
        try {
            return JWKSourceBuilder.<SecurityContext>create(
                            URI.create(url).toURL(),
                            new DefaultResourceRetriever(
                                    KEY_SET_TIMEOUT_MILLIS, KEY_SET_TIMEOUT_MILLIS, KEY_SET_MAX_BYTES))
                    .cache(settings.jwksRefresh().toMillis(), KEY_SET_TIMEOUT_MILLIS * 2L)
                    .refreshAheadCache(false)
                    .retrying(true)
                    .outageTolerant(settings.jwksOutage().toMillis())
                    .build();
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException(
                    "tidegate.auth.jwks-url: " + url + " (expected: an http or https URL)", e);
        }
    }

    /** The token's subject; fails with a {@link ProtocolException} {@code unauthenticated} or {@code unavailable}. */
    public CompletableFuture<Publisher> verify(String token) {
        Publisher.Subject known = good.get(token);
        if (known != null) {
            if (clock.millis() < known.expiresAtMillis()) {
                return CompletableFuture.completedFuture(known);
            }
            good.remove(token);
            return Authenticator.refused("Authorization: the token has expired");
        }
        SignedJWT jwt;
        try {
            jwt = SignedJWT.parse(token);
        } catch (ParseException e) {
            return Authenticator.refused("Authorization: the token is not a signed JWT");
        }
        boolean secret = BY_SECRET.contains(jwt.getHeader().getAlgorithm());
        JWTProcessor<SecurityContext> processor = secret ? bySecret : byKeySet;
        if (processor == null) {
            return Authenticator.refused(
                    "Authorization: tokens signed with " + jwt.getHeader().getAlgorithm() + " are not accepted here");
        }
        if (secret) {
            try {
                return CompletableFuture.completedFuture(verify(token, jwt, processor));
            } catch (ProtocolException e) {
                return CompletableFuture.failedFuture(e);
            }
        }
        if (!waiting.tryAcquire()) {
            return CompletableFuture.failedFuture(
                    new ProtocolException(ErrorCode.UNAVAILABLE, "too many tokens wait for the key set"));
        }
        return CompletableFuture.supplyAsync(() -> verify(token, jwt, processor), threads)
                .whenComplete((publisher, error) -> waiting.release());
    }

    private Publisher verify(String token, SignedJWT jwt, JWTProcessor<SecurityContext> processor) {
        try {
            JWTClaimsSet claims = processor.process(jwt, null);
            Date expires = claims.getExpirationTime();
            Publisher.Subject subject = new Publisher.Subject(
                    claims.getSubject(),
                    expires == null
                            ? Long.MAX_VALUE
                            : expires.toInstant().plus(clockSkew).toEpochMilli(),
                    patterns(claims));
            if (good.size() >= REMEMBERED) {
                good.clear();
            }
            good.put(token, subject);
            return subject;
        } catch (KeySourceException e) {
            throw new ProtocolException(ErrorCode.UNAVAILABLE, "the key set of the token's issuer cannot be had now");
        } catch (BadJOSEException | JOSEException e) {
            throw new ProtocolException(ErrorCode.UNAUTHENTICATED, "Authorization: " + e.getMessage());
        }
    }

    private static @Nullable List<String> patterns(JWTClaimsSet claims) throws BadJOSEException {
        if (claims.getClaim("publish") == null) {
            return null;
        }
        try {
            return List.copyOf(claims.getStringListClaim("publish"));
        } catch (ParseException | NullPointerException e) {
            throw new BadJOSEException("claim publish: not an array of strings");
        }
    }
}

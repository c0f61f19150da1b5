package dev.tidegate.replay.access;

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
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.AuthSettings;
import java.net.MalformedURLException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * Verifies JWTs: signature, time, issuer, audience; reads {@code sub} and {@code subscribe}. HS256 by the shared secret, at
 * once; keys of a key set on a virtual thread, since the set may have to be fetched. Good tokens are remembered. Any
 * thread.
 */
public final class TokenVerifier {
    /** Good tokens remembered; when full they are all forgotten, which costs one verification each. */
    private static final int REMEMBERED = 10_000;

    /** Verifications by key set at once; the next is told {@code unavailable}. */
    private static final int MAX_WAITING = 256;

    private static final int KEY_SET_TIMEOUT_MILLIS = 2_000;
    private static final int KEY_SET_MAX_BYTES = 256 << 10;
    private static final long KEY_SET_REFRESH_MILLIS = 5 * 60_000L;
    private static final long KEY_SET_OUTAGE_MILLIS = 4 * 3_600_000L;

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
    private final long skewMillis;
    private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
    private final Semaphore waiting = new Semaphore(MAX_WAITING);
    private final Map<String, Reader> good = new ConcurrentHashMap<>();

    /** Of the configured secret and key set; a kind of token that is not configured is refused. */
    public TokenVerifier(AuthSettings settings) {
        String secret = settings.hs256Secret();
        URI url = settings.jwksUrl();
        this.bySecret = secret == null
                ? null
                : processor(BY_SECRET, new ImmutableSecret<>(secret.getBytes(StandardCharsets.UTF_8)), settings);
        this.byKeySet = url == null ? null : processor(BY_KEY_SET, keySet(url), settings);
        this.skewMillis = settings.clockSkew().toMillis();
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

    private static JWKSource<SecurityContext> keySet(URI url) {
        try {
            return JWKSourceBuilder.<SecurityContext>create(
                            url.toURL(),
                            new DefaultResourceRetriever(
                                    KEY_SET_TIMEOUT_MILLIS, KEY_SET_TIMEOUT_MILLIS, KEY_SET_MAX_BYTES))
                    .cache(KEY_SET_REFRESH_MILLIS, KEY_SET_TIMEOUT_MILLIS * 2L)
                    .refreshAheadCache(false)
                    .retrying(true)
                    .outageTolerant(KEY_SET_OUTAGE_MILLIS)
                    .build();
        } catch (MalformedURLException e) {
            throw new IllegalArgumentException("tidegate.auth.jwks-url: " + url + " (expected: an http URL)", e);
        }
    }

    /** Whose token this is; fails with a {@link ProtocolException} {@code unauthenticated} or {@code unavailable}. */
    public Mono<Reader> verify(String token) {
        Reader known = good.get(token);
        if (known != null) {
            if (System.currentTimeMillis() < known.expiresAtMillis()) {
                return Mono.just(known);
            }
            good.remove(token);
            return refused("the token has expired");
        }
        SignedJWT jwt;
        try {
            jwt = SignedJWT.parse(token);
        } catch (ParseException e) {
            return refused("the token is not a signed JWT");
        }
        boolean secret = BY_SECRET.contains(jwt.getHeader().getAlgorithm());
        JWTProcessor<SecurityContext> processor = secret ? bySecret : byKeySet;
        if (processor == null) {
            return refused("tokens signed with " + jwt.getHeader().getAlgorithm() + " are not accepted here");
        }
        Mono<Reader> verified = Mono.fromCallable(() -> verify(token, jwt, processor));
        if (secret) {
            return verified;
        }
        return Mono.defer(() -> {
            if (!waiting.tryAcquire()) {
                return Mono.error(new ProtocolException(
                        ErrorCode.UNAVAILABLE, "Authorization: too many tokens wait for the key set"));
            }
            return verified.subscribeOn(Schedulers.fromExecutor(threads)).doFinally(s -> waiting.release());
        });
    }

    private Reader verify(String token, SignedJWT jwt, JWTProcessor<SecurityContext> processor) {
        try {
            JWTClaimsSet claims = processor.process(jwt, null);
            Date expires = claims.getExpirationTime();
            Reader reader = new Reader(
                    claims.getSubject(),
                    expires == null ? Long.MAX_VALUE : expires.toInstant().toEpochMilli() + skewMillis,
                    patterns(claims));
            if (good.size() >= REMEMBERED) {
                good.clear();
            }
            good.put(token, reader);
            return reader;
        } catch (KeySourceException e) {
            throw new ProtocolException(
                    ErrorCode.UNAVAILABLE, "Authorization: the key set of the token's issuer cannot be had now");
        } catch (BadJOSEException | JOSEException e) {
            throw new ProtocolException(ErrorCode.UNAUTHENTICATED, "Authorization: " + e.getMessage());
        }
    }

    private static @Nullable List<String> patterns(JWTClaimsSet claims) throws BadJOSEException {
        if (claims.getClaim("subscribe") == null) {
            return null;
        }
        try {
            return List.copyOf(claims.getStringListClaim("subscribe"));
        } catch (ParseException | NullPointerException e) {
            throw new BadJOSEException("claim subscribe: not an array of strings");
        }
    }

    static Mono<Reader> refused(String message) {
        return Mono.error(new ProtocolException(ErrorCode.UNAUTHENTICATED, "Authorization: " + message));
    }
}

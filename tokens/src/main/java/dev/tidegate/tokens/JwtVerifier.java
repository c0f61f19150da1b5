package dev.tidegate.tokens;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.KeyLengthException;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.text.ParseException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Verifies JSON Web Tokens: HS256 by a shared secret, RSA and elliptic-curve signatures by the issuer's keys. The algorithm
 * of a token only chooses between the two, never what a key is used for, so a public key cannot be passed off as a
 * secret. Verification happens on the calling thread (tens of microseconds at most); what may wait is only the fetching
 * of keys. Any thread.
 */
public final class JwtVerifier implements AutoCloseable {
    /** Longest subject: it is told to the client and stands in channel names. */
    static final int MAX_SUBJECT = 255;

    private static final Set<JWSAlgorithm> BY_KEYS = Set.of(
            JWSAlgorithm.RS256,
            JWSAlgorithm.RS384,
            JWSAlgorithm.RS512,
            JWSAlgorithm.PS256,
            JWSAlgorithm.PS384,
            JWSAlgorithm.PS512,
            JWSAlgorithm.ES256,
            JWSAlgorithm.ES384,
            JWSAlgorithm.ES512);

    /**
     * What a token must say.
     *
     * @param issuer its {@code iss}, or null for any
     * @param audience one of its {@code aud}, or null for any
     * @param clockSkew how far clocks may be apart
     */
    public record Rules(@Nullable String issuer, @Nullable String audience, Duration clockSkew) {}

    /** What a token is worth. */
    public sealed interface Verdict {
        /** Good. */
        record Accepted(TokenClaims claims) implements Verdict {}

        /** Not good; the message, which begins with {@code token: }, may be told to the client. */
        record Rejected(String message) implements Verdict {}

        /** Cannot be judged now: the issuer's keys cannot be had. The client may try again. */
        record Undecided(String message) implements Verdict {}
    }

    private final @Nullable JWSVerifier secret;
    private final @Nullable IssuerKeys keys;
    private final Rules rules;
    private final Clock clock;

    /**
     * @param hs256Secret at least 32 bytes; null: HS256 is refused
     * @param keys the issuer's, closed with this; null: RSA and elliptic-curve signatures are refused
     */
    public JwtVerifier(byte @Nullable [] hs256Secret, @Nullable IssuerKeys keys, Rules rules, Clock clock) {
        this.secret = hs256Secret == null ? null : mac(hs256Secret);
        this.keys = keys;
        this.rules = rules;
        this.clock = clock;
    }

    private static JWSVerifier mac(byte[] secret) {
        try {
            return new MACVerifier(secret);
        } catch (KeyLengthException e) {
            throw new IllegalArgumentException("hs256 secret: " + secret.length + " bytes (expected: 32 or more)", e);
        } catch (JOSEException e) {
            throw new IllegalStateException("every JDK has HMAC-SHA-256", e);
        }
    }

    /** Verifies; {@code done} is called once, at once or from another thread (a key set may have to be fetched). */
    public void verify(String token, Consumer<Verdict> done) {
        SignedJWT jwt;
        try {
            jwt = SignedJWT.parse(token);
        } catch (ParseException e) {
            done.accept(new Verdict.Rejected("token: not a signed JWT"));
            return;
        }
        JWSAlgorithm algorithm = jwt.getHeader().getAlgorithm();
        JWSVerifier hmac = secret;
        IssuerKeys issuer = keys;
        if (hmac != null && JWSAlgorithm.HS256.equals(algorithm)) {
            done.accept(judge(jwt, List.of(hmac)));
        } else if (issuer != null && BY_KEYS.contains(algorithm)) {
            issuer.find(
                    jwt.getHeader(),
                    found -> done.accept(
                            switch (found) {
                                case IssuerKeys.Found.Keys(List<JWSVerifier> fitting) -> judge(jwt, fitting);
                                case IssuerKeys.Found.Unknown u ->
                                    new Verdict.Rejected("token: the issuer has no key '"
                                            + shown(jwt.getHeader().getKeyID()) + "'");
                                case IssuerKeys.Found.Unavailable u ->
                                    new Verdict.Undecided("token: the issuer's keys cannot be had now");
                            }));
        } else {
            done.accept(new Verdict.Rejected("token: algorithm " + algorithm + " is not accepted here"));
        }
    }

    @Override
    public void close() {
        if (keys != null) {
            keys.close();
        }
    }

    private Verdict judge(SignedJWT jwt, List<JWSVerifier> fitting) {
        try {
            for (JWSVerifier v : fitting) {
                if (jwt.verify(v)) {
                    return judge(jwt.getJWTClaimsSet());
                }
            }
            return new Verdict.Rejected("token: the signature is wrong");
        } catch (JOSEException | IllegalStateException e) {
            return new Verdict.Rejected("token: the signature cannot be checked");
        } catch (ParseException e) {
            return new Verdict.Rejected("token: its claims cannot be read");
        }
    }

    private Verdict judge(JWTClaimsSet claims) {
        Instant now = clock.instant();
        Date expires = claims.getExpirationTime();
        if (expires != null && now.isAfter(expires.toInstant().plus(rules.clockSkew()))) {
            return new Verdict.Rejected("token: expired at " + expires.toInstant());
        }
        Date notBefore = claims.getNotBeforeTime();
        if (notBefore != null && now.isBefore(notBefore.toInstant().minus(rules.clockSkew()))) {
            return new Verdict.Rejected("token: not valid before " + notBefore.toInstant());
        }
        if (rules.issuer() != null && !rules.issuer().equals(claims.getIssuer())) {
            return new Verdict.Rejected("token: the issuer is not the one expected here");
        }
        if (rules.audience() != null && !claims.getAudience().contains(rules.audience())) {
            return new Verdict.Rejected("token: it is not meant for this audience");
        }
        String subject = claims.getSubject();
        if (subject == null || subject.isEmpty() || subject.length() > MAX_SUBJECT) {
            return new Verdict.Rejected("token: claim sub (expected: 1 to " + MAX_SUBJECT + " characters)");
        }
        try {
            return new Verdict.Accepted(new TokenClaims(
                    subject,
                    // The skew is granted at the end as it is at the beginning.
                    expires == null
                            ? Long.MAX_VALUE
                            : expires.toInstant().plus(rules.clockSkew()).toEpochMilli(),
                    patterns(claims, "subscribe"),
                    patterns(claims, "publish")));
        } catch (ArithmeticException e) {
            return new Verdict.Rejected("token: claim exp is out of range");
        } catch (ParseException | IllegalArgumentException e) {
            return new Verdict.Rejected("token: " + e.getMessage());
        }
    }

    private static @Nullable ChannelPatterns patterns(JWTClaimsSet claims, String name) throws ParseException {
        Object claim = claims.getClaim(name);
        if (claim == null) {
            return null;
        }
        List<String> patterns = claims.getStringListClaim(name);
        if (patterns == null || patterns.contains(null)) {
            throw new IllegalArgumentException("claim " + name + " (expected: a list of channel patterns)");
        }
        try {
            return ChannelPatterns.of(patterns);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("claim " + name + ": " + e.getMessage(), e);
        }
    }

    private static String shown(@Nullable String keyId) {
        String id = String.valueOf(keyId);
        return id.length() <= 40 ? id : id.substring(0, 40) + "…";
    }
}

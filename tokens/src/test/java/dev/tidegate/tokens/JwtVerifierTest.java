package dev.tidegate.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.tokens.JwtVerifier.Verdict;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class JwtVerifierTest {
    private static final Instant NOW = Instant.parse("2026-11-24T12:00:00Z");

    private static JwtVerifier verifier(@Nullable String issuer, @Nullable String audience) {
        return new JwtVerifier(
                Tokens.secret(),
                null,
                new JwtVerifier.Rules(issuer, audience, Duration.ofSeconds(30)),
                Clock.fixed(NOW, ZoneOffset.UTC));
    }

    /** Without keys to be fetched, the verdict comes at once. */
    private static Verdict verdict(JwtVerifier verifier, String token) {
        List<Verdict> verdicts = new ArrayList<>();
        verifier.verify(token, verdicts::add);
        assertThat(verdicts).hasSize(1);
        return verdicts.getFirst();
    }

    private static String rejection(JwtVerifier verifier, String token) {
        return ((Verdict.Rejected) verdict(verifier, token)).message();
    }

    private static JWTClaimsSet.Builder joe() {
        return new JWTClaimsSet.Builder().subject("joe");
    }

    private static String token(JWTClaimsSet.Builder claims) {
        return Tokens.hs256(claims.build(), Tokens.SECRET);
    }

    private static Date at(long secondsFromNow) {
        return Date.from(NOW.plusSeconds(secondsFromNow));
    }

    @Test
    void readsWhoItIsAndWhatItMay() {
        // given
        String token = token(joe().expirationTime(at(60))
                .claim("subscribe", List.of("news", "orders:*"))
                .claim("publish", List.of()));

        // when
        TokenClaims who = ((Verdict.Accepted) verdict(verifier(null, null), token)).claims();

        // then
        assertThat(who.subject()).isEqualTo("joe");
        assertThat(who.expiresAtMillis()).isEqualTo(NOW.plusSeconds(90).toEpochMilli());
        assertThat(who.subscribe().matches(new ChannelName("news"))).isTrue();
        assertThat(who.subscribe().matches(new ChannelName("orders:eu"))).isTrue();
        assertThat(who.subscribe().matches(new ChannelName("newsroom"))).isFalse();
        assertThat(who.publish().matches(new ChannelName("news"))).isFalse();
    }

    @Test
    void aTokenWithoutClaimsMayWhatTheNamespacesAllowAndDoesNotExpire() {
        // given
        String token = token(joe());

        // when
        Verdict verdict = verdict(verifier(null, null), token);

        // then
        assertThat(verdict).isEqualTo(new Verdict.Accepted(new TokenClaims("joe", Long.MAX_VALUE, null, null)));
    }

    @Test
    void grantsTheClockSkewAndNoMore() {
        // given
        JwtVerifier v = verifier(null, null);

        // when, then
        assertThat(verdict(v, token(joe().expirationTime(at(-30))))).isInstanceOf(Verdict.Accepted.class);
        assertThat(rejection(v, token(joe().expirationTime(at(-31)))))
                .isEqualTo("token: expired at 2026-11-24T11:59:29Z");
        assertThat(verdict(v, token(joe().notBeforeTime(at(30))))).isInstanceOf(Verdict.Accepted.class);
        assertThat(rejection(v, token(joe().notBeforeTime(at(31)))))
                .isEqualTo("token: not valid before 2026-11-24T12:00:31Z");
    }

    @Test
    void checksIssuerAndAudienceWhereConfigured() {
        // given
        JwtVerifier v = verifier("https://issuer", "tidegate");

        // when, then
        assertThat(verdict(v, token(joe().issuer("https://issuer").audience(List.of("a", "tidegate")))))
                .isInstanceOf(Verdict.Accepted.class);
        assertThat(rejection(v, token(joe().issuer("https://other").audience("tidegate"))))
                .contains("the issuer is not the one expected");
        assertThat(rejection(v, token(joe().audience("tidegate")))).contains("the issuer is not the one expected");
        assertThat(rejection(v, token(joe().issuer("https://issuer").audience("other"))))
                .contains("not meant for this audience");
        assertThat(rejection(v, token(joe().issuer("https://issuer")))).contains("not meant for this audience");
    }

    @Test
    void rejectsWhatIsNotSignedWithTheSecret() throws Exception {
        // given
        JwtVerifier v = verifier(null, null);
        String good = token(joe());
        String[] parts = good.split("\\.", -1);
        String forged = Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString("{\"sub\":\"root\"}".getBytes(StandardCharsets.UTF_8));

        // when, then
        assertThat(rejection(v, Tokens.hs256(joe().build(), "another secret of 32 bytes or more")))
                .isEqualTo("token: the signature is wrong");
        assertThat(rejection(v, parts[0] + "." + forged + "." + parts[2])).isEqualTo("token: the signature is wrong");
        assertThat(rejection(v, parts[0] + "." + parts[1] + ".")).startsWith("token: ");
        assertThat(rejection(v, new PlainJWT(joe().build()).serialize())).isEqualTo("token: not a signed JWT");
        assertThat(rejection(
                        v,
                        Tokens.signed(
                                JWSAlgorithm.HS384, null, joe().build(), new MACSigner(Tokens.SECRET + Tokens.SECRET))))
                .isEqualTo("token: algorithm HS384 is not accepted here");
        assertThat(rejection(v, Tokens.rs256(Tokens.rsa("k"), "joe")))
                .isEqualTo("token: algorithm RS256 is not accepted here");
        for (String junk : List.of("", "a", "a.b.c", "....", good + "x", "é.é.é", "x".repeat(100_000))) {
            assertThat(rejection(v, junk)).startsWith("token: ");
        }
    }

    @Test
    void rejectsClaimsItCannotRead() {
        // given
        JwtVerifier v = verifier(null, null);

        // when, then
        assertThat(rejection(v, token(new JWTClaimsSet.Builder()))).contains("claim sub");
        assertThat(rejection(v, token(new JWTClaimsSet.Builder().subject("")))).contains("claim sub");
        assertThat(rejection(v, token(new JWTClaimsSet.Builder().subject("x".repeat(256)))))
                .contains("claim sub");
        assertThat(rejection(v, token(joe().claim("subscribe", "news")))).contains("subscribe");
        assertThat(rejection(v, token(joe().claim("subscribe", List.of(1))))).contains("subscribe");
        assertThat(rejection(v, token(joe().claim("publish", List.of(""))))).contains("claim publish");
        assertThat(rejection(v, token(joe().claim("publish", Collections.nCopies(257, "a")))))
                .contains("claim publish: 257 patterns");
        assertThat(rejection(v, token(joe().claim("exp", "tomorrow")))).startsWith("token: ");
        assertThat(rejection(v, token(joe().claim("exp", -1)))).contains("expired");
    }

    @Test
    void refusesASecretThatIsTooShort() {
        assertThatThrownBy(() -> new JwtVerifier(
                        new byte[31], null, new JwtVerifier.Rules(null, null, Duration.ZERO), Clock.systemUTC()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("31 bytes");
    }
}

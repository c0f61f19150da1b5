package dev.tidegate.ingest.admission;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import com.sun.net.httpserver.HttpServer;
import dev.tidegate.ingest.config.AuthSettings;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class TokenVerifierTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";

    private HttpServer server;

    @AfterEach
    void stop() {
        if (server != null) {
            server.stop(0);
        }
    }

    private static AuthSettings settings(String secret, String url, String issuer, String audience) {
        return new AuthSettings(
                false,
                secret,
                url,
                issuer,
                audience,
                Duration.ofSeconds(30),
                Duration.ofMinutes(5),
                Duration.ofHours(4),
                null);
    }

    private static JWTClaimsSet.Builder claims() {
        return new JWTClaimsSet.Builder()
                .subject("alice")
                .expirationTime(Date.from(Instant.now().plusSeconds(600)));
    }

    private static String hs256(JWTClaimsSet claims, String secret) throws JOSEException {
        SignedJWT jwt = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims);
        jwt.sign(new MACSigner(secret));
        return jwt.serialize();
    }

    private static String rs256(JWTClaimsSet claims, RSAKey key) throws JOSEException {
        SignedJWT jwt = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.RS256).keyID(key.getKeyID()).build(), claims);
        jwt.sign(new RSASSASigner(key));
        return jwt.serialize();
    }

    private static void assertRefused(ErrorCode code, TokenVerifier verifier, String token) {
        assertThatThrownBy(() -> verifier.verify(token).join())
                .isInstanceOfSatisfying(
                        CompletionException.class,
                        e -> assertThat(e.getCause())
                                .isInstanceOfSatisfying(
                                        ProtocolException.class,
                                        p -> assertThat(p.code()).isEqualTo(code)));
    }

    @Test
    void readsSubjectAndPatterns() throws Exception {
        // given
        TokenVerifier verifier = new TokenVerifier(settings(SECRET, null, null, null), Clock.systemUTC());
        // when
        Publisher plain = verifier.verify(hs256(claims().build(), SECRET)).join();
        Publisher limited = verifier.verify(
                        hs256(claims().claim("publish", List.of("a", "b*")).build(), SECRET))
                .join();
        // then
        assertThat(plain).isInstanceOfSatisfying(Publisher.Subject.class, s -> {
            assertThat(s.subject()).isEqualTo("alice");
            assertThat(s.publish()).isNull();
        });
        assertThat(limited).isInstanceOfSatisfying(Publisher.Subject.class, s -> {
            assertThat(s.publish().matches(new ChannelName("a"))).isTrue();
            assertThat(s.publish().matches(new ChannelName("bc"))).isTrue();
            assertThat(s.publish().matches(new ChannelName("ab"))).isFalse();
        });
    }

    @Test
    void refusesEveryTokenThatIsNotGood() throws Exception {
        // given
        TokenVerifier verifier = new TokenVerifier(settings(SECRET, null, "iss-1", "aud-1"), Clock.systemUTC());
        JWTClaimsSet good = claims().issuer("iss-1").audience("aud-1").build();
        assertThat(verifier.verify(hs256(good, SECRET)).join()).isInstanceOf(Publisher.Subject.class);
        // then
        RSAKey key = new RSAKeyGenerator(2048).keyID("k").generate();
        String signed = hs256(good, SECRET);
        List<String> bad = List.of(
                "",
                "x",
                "a.b.c",
                hs256(good, SECRET.replace('0', '1')),
                signed.substring(0, signed.length() - 4) + "AAAA",
                new PlainJWT(good).serialize(),
                rs256(good, key),
                hs256(claims().issuer("iss-2").audience("aud-1").build(), SECRET),
                hs256(claims().issuer("iss-1").audience("aud-2").build(), SECRET),
                hs256(claims().build(), SECRET),
                hs256(new JWTClaimsSet.Builder(good).subject(null).build(), SECRET),
                hs256(
                        new JWTClaimsSet.Builder(good)
                                .expirationTime(Date.from(Instant.now().minusSeconds(60)))
                                .build(),
                        SECRET),
                hs256(
                        new JWTClaimsSet.Builder(good)
                                .notBeforeTime(Date.from(Instant.now().plusSeconds(60)))
                                .build(),
                        SECRET),
                hs256(new JWTClaimsSet.Builder(good).claim("publish", "a").build(), SECRET),
                hs256(
                        new JWTClaimsSet.Builder(good)
                                .claim("publish", List.of(1))
                                .build(),
                        SECRET));
        assertThat(bad).allSatisfy(token -> assertRefused(ErrorCode.UNAUTHENTICATED, verifier, token));
    }

    @Test
    void aRememberedTokenExpiresAllTheSame() throws Exception {
        // given
        Instant[] now = {Instant.now()};
        Clock clock = new Clock() {
            @Override
            public ZoneId getZone() {
                return ZoneOffset.UTC;
            }

            @Override
            public Clock withZone(ZoneId zone) {
                return this;
            }

            @Override
            public Instant instant() {
                return now[0];
            }
        };
        TokenVerifier verifier = new TokenVerifier(settings(SECRET, null, null, null), clock);
        String token = hs256(claims().build(), SECRET);
        assertThat(verifier.verify(token).join())
                .isEqualTo(verifier.verify(token).join());
        // when
        now[0] = now[0].plusSeconds(600 + 31);
        // then
        assertRefused(ErrorCode.UNAUTHENTICATED, verifier, token);
    }

    @Test
    void takesKeysFromAKeySetAndOutlivesItsServer() throws Exception {
        // given
        RSAKey key = new RSAKeyGenerator(2048).keyID("k1").generate();
        AtomicInteger fetched = new AtomicInteger();
        String url = serve(new JWKSet(key.toPublicJWK()).toString(), fetched);
        TokenVerifier verifier = new TokenVerifier(settings(SECRET, url, null, null), Clock.systemUTC());
        // when
        Publisher publisher = verifier.verify(rs256(claims().build(), key)).join();
        // then
        assertThat(publisher).isInstanceOf(Publisher.Subject.class);
        // and a token of another key of that name is refused
        RSAKey other = new RSAKeyGenerator(2048).keyID("k1").generate();
        assertRefused(ErrorCode.UNAUTHENTICATED, verifier, rs256(claims().build(), other));
        // and the public key is not a secret
        String confused = hs256(claims().build(), key.toPublicJWK().toJSONString());
        assertRefused(ErrorCode.UNAUTHENTICATED, verifier, confused);
        // and its server is not asked for each token, nor needed for known keys
        server.stop(0);
        assertThat(verifier.verify(rs256(claims().claim("n", 1).build(), key)).join())
                .isInstanceOf(Publisher.Subject.class);
        assertThat(fetched.get()).isEqualTo(1);
    }

    @Test
    void aKeySetThatCannotBeHadIsNotThePublishersFault() throws Exception {
        // given
        RSAKey key = new RSAKeyGenerator(2048).keyID("k1").generate();
        String url = serve("", new AtomicInteger());
        server.stop(0);
        TokenVerifier verifier = new TokenVerifier(settings(null, url, null, null), Clock.systemUTC());
        // then
        assertRefused(ErrorCode.UNAVAILABLE, verifier, rs256(claims().build(), key));
        assertRefused(ErrorCode.UNAUTHENTICATED, verifier, hs256(claims().build(), SECRET));
    }

    private String serve(String body, AtomicInteger fetched) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/keys", exchange -> {
            fetched.incrementAndGet();
            byte[] bytes = body.getBytes(UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/keys";
    }
}

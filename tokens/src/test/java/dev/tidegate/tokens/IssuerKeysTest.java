package dev.tidegate.tokens;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.RSAKey;
import com.sun.net.httpserver.HttpServer;
import dev.tidegate.tokens.JwtVerifier.Verdict;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class IssuerKeysTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    private static final RSAKey RSA = Tokens.rsa("r1");
    private static final RSAKey NEXT = Tokens.rsa("r2");
    private static final ECKey EC = Tokens.ec("e1");

    private final AtomicLong nanos = new AtomicLong();
    private final AtomicInteger fetches = new AtomicInteger();
    private volatile int status = 200;
    private volatile String body = set(RSA, EC);
    private volatile CountDownLatch gate = new CountDownLatch(0);
    private HttpServer issuer;

    private static String set(JWK... keys) {
        return new JWKSet(List.of(keys)).toPublicJWKSet().toString();
    }

    @BeforeEach
    void start() throws Exception {
        issuer = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        issuer.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        issuer.createContext("/", exchange -> {
            fetches.incrementAndGet();
            try {
                gate.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        issuer.start();
    }

    @AfterEach
    void stop() {
        gate.countDown();
        issuer.stop(0);
    }

    private JwtVerifier verifier() {
        IssuerKeys keys = new IssuerKeys(
                URI.create("http://127.0.0.1:" + issuer.getAddress().getPort() + "/jwks"),
                Duration.ofMinutes(5),
                Duration.ofHours(4),
                nanos::get);
        return new JwtVerifier(
                Tokens.secret(), keys, new JwtVerifier.Rules(null, null, Duration.ofSeconds(30)), Clock.systemUTC());
    }

    private static CompletableFuture<Verdict> begin(JwtVerifier v, String token) {
        CompletableFuture<Verdict> f = new CompletableFuture<>();
        v.verify(token, f::complete);
        return f;
    }

    private static Verdict verdict(JwtVerifier v, String token) throws Exception {
        return begin(v, token).get(60, TimeUnit.SECONDS);
    }

    private void pass(Duration d) {
        nanos.addAndGet(d.toNanos());
    }

    @Test
    void verifiesRsaAndEllipticCurveSignaturesByKeyId() throws Exception {
        try (JwtVerifier v = verifier()) {
            assertThat(verdict(v, Tokens.rs256(RSA, "joe")))
                    .isEqualTo(new Verdict.Accepted(new TokenClaims("joe", Long.MAX_VALUE, null, null)));
            assertThat(verdict(v, Tokens.es256(EC, "ann"))).isInstanceOf(Verdict.Accepted.class);
            assertThat(verdict(v, Tokens.rs256(Tokens.rsa("r1"), "joe")))
                    .isEqualTo(new Verdict.Rejected("token: the signature is wrong"));
            assertThat(fetches.get()).isEqualTo(1);
        }
    }

    @Test
    void neverWaitsOnTheCallersThread() throws Exception {
        // given: an issuer that does not answer
        gate = new CountDownLatch(1);
        try (JwtVerifier v = verifier()) {
            // when
            CompletableFuture<Verdict> f = begin(v, Tokens.rs256(RSA, "joe"));

            // then: we are back, and the verdict comes with the keys
            assertThat(f).isNotDone();
            gate.countDown();
            assertThat(f.get(60, TimeUnit.SECONDS)).isInstanceOf(Verdict.Accepted.class);
            assertThat(fetches.get()).isEqualTo(1);
        }
    }

    @Test
    void fetchesForAnUnknownKeyButNotForEveryInventedOne() throws Exception {
        try (JwtVerifier v = verifier()) {
            assertThat(verdict(v, Tokens.rs256(RSA, "joe"))).isInstanceOf(Verdict.Accepted.class);

            // when: the issuer rotates, soon after a fetch
            body = set(RSA, NEXT);
            Verdict tooSoon = verdict(v, Tokens.rs256(NEXT, "joe"));
            pass(IssuerKeys.MIN_INTERVAL);
            Verdict later = verdict(v, Tokens.rs256(NEXT, "joe"));
            for (int i = 0; i < 100; i++) {
                verdict(
                        v,
                        Tokens.signed(
                                com.nimbusds.jose.JWSAlgorithm.RS256,
                                "invented" + i,
                                Tokens.claims("x"),
                                new com.nimbusds.jose.crypto.RSASSASigner(RSA)));
            }

            // then
            assertThat(tooSoon).isEqualTo(new Verdict.Rejected("token: the issuer has no key 'r2'"));
            assertThat(later).isInstanceOf(Verdict.Accepted.class);
            assertThat(fetches.get()).isEqualTo(2);
        }
    }

    @Test
    void refreshesInTheBackgroundAndDropsKeysThatWereWithdrawn() throws Exception {
        try (JwtVerifier v = verifier()) {
            assertThat(verdict(v, Tokens.rs256(RSA, "joe"))).isInstanceOf(Verdict.Accepted.class);

            // when
            body = set(NEXT);
            pass(Duration.ofMinutes(6));

            // then: the old key serves until the new set is there
            assertThat(verdict(v, Tokens.rs256(RSA, "joe"))).isInstanceOf(Verdict.Accepted.class);
            await().atMost(WITHIN)
                    .untilAsserted(() -> assertThat(verdict(v, Tokens.rs256(RSA, "joe")))
                            .isEqualTo(new Verdict.Rejected("token: the issuer has no key 'r1'")));
            assertThat(verdict(v, Tokens.rs256(NEXT, "joe"))).isInstanceOf(Verdict.Accepted.class);
        }
    }

    @Test
    void outlastsAnOutageOfTheIssuerButNotForEver() throws Exception {
        try (JwtVerifier v = verifier()) {
            assertThat(verdict(v, Tokens.rs256(RSA, "joe"))).isInstanceOf(Verdict.Accepted.class);

            // when
            status = 503;
            pass(Duration.ofHours(3));
            Verdict during = verdict(v, Tokens.rs256(RSA, "joe"));
            await().atMost(WITHIN).until(() -> fetches.get() == 2);
            pass(Duration.ofHours(2));
            Verdict tooLong = verdict(v, Tokens.rs256(RSA, "joe"));

            // then
            assertThat(during).isInstanceOf(Verdict.Accepted.class);
            assertThat(tooLong).isInstanceOf(Verdict.Undecided.class);
        }
    }

    @Test
    void cannotJudgeWithoutKeysAndRecovers() throws Exception {
        // given
        body = "<html>";
        try (JwtVerifier v = verifier()) {
            // when
            Verdict without = verdict(v, Tokens.rs256(RSA, "joe"));
            body = set(RSA);
            pass(IssuerKeys.MIN_INTERVAL);
            Verdict with = verdict(v, Tokens.rs256(RSA, "joe"));

            // then
            assertThat(without).isInstanceOf(Verdict.Undecided.class);
            assertThat(with).isInstanceOf(Verdict.Accepted.class);
        }
    }

    @Test
    void doesNotTakeAPublicKeyForASecretNorAnEncryptionKeyForSignatures() throws Exception {
        // given: the classic attack signs by HMAC with the public key's bytes
        RSAKey forEncryption =
                new RSAKey.Builder(NEXT).keyUse(KeyUse.ENCRYPTION).build();
        body = set(RSA, forEncryption);
        String confused = Tokens.signed(
                com.nimbusds.jose.JWSAlgorithm.HS256,
                "r1",
                Tokens.claims("root"),
                new com.nimbusds.jose.crypto.MACSigner(RSA.toRSAPublicKey().getEncoded()));
        try (JwtVerifier v = verifier()) {
            // when, then
            assertThat(verdict(v, confused)).isInstanceOf(Verdict.Rejected.class);
            assertThat(verdict(v, Tokens.rs256(NEXT, "joe")))
                    .isEqualTo(new Verdict.Rejected("token: the issuer has no key 'r2'"));
        }
    }
}

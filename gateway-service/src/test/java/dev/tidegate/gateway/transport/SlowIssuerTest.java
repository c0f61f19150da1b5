package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.sun.net.httpserver.HttpServer;
import dev.tidegate.gateway.EdgeUnderTest;
import dev.tidegate.gateway.auth.Tokens;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Handshakes that have to wait for the issuer's keys. */
@Timeout(180)
class SlowIssuerTest {
    private static final RSAKey KEY = Tokens.rsa("k1");
    private final CountDownLatch asked = new CountDownLatch(1);
    private final CountDownLatch may = new CountDownLatch(1);
    private volatile int status = 200;
    private HttpServer issuer;

    @BeforeEach
    void start() throws Exception {
        issuer = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        issuer.createContext("/", exchange -> {
            asked.countDown();
            try {
                may.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            byte[] keys = new JWKSet(KEY).toPublicJWKSet().toString().getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(status, keys.length);
            exchange.getResponseBody().write(keys);
            exchange.close();
        });
        issuer.start();
    }

    @AfterEach
    void stop() {
        may.countDown();
        issuer.stop(0);
    }

    private EdgeUnderTest edge() {
        return EdgeUnderTest.start(Map.of(
                "tidegate.gateway.loops",
                1,
                "tidegate.auth.jwks-url",
                "http://127.0.0.1:" + issuer.getAddress().getPort() + "/"));
    }

    private static String request() {
        return WebSocketHandshakeTest.upgrade("/v1/ws?channel=news&token=" + Tokens.rs256(KEY, "joe"));
    }

    @Test
    void aWaitingHandshakeHoldsUpNobodyAndAClientThatLeftIsNotHandedOver() throws Exception {
        // given
        try (EdgeUnderTest edge = edge();
                RawHttp stays = new RawHttp(edge.port());
                RawHttp other = new RawHttp(edge.port())) {
            assertThat(asked.await(60, TimeUnit.SECONDS)).isTrue();
            try (RawHttp leaves = new RawHttp(edge.port())) {
                leaves.send(request());
            }
            stays.send(request());

            // when: the one loop, which has seen the client leave, serves somebody else meanwhile
            other.send(WebSocketHandshakeTest.upgrade("/v1/ws"));
            assertThat(other.head().status()).isEqualTo(101);
            edge.nextOpened();
            may.countDown();

            // then
            assertThat(stays.head().status()).isEqualTo(101);
            EdgeUnderTest.Opened opened = edge.nextOpened();
            assertThat(opened.handshake().identity().subject()).isEqualTo("joe");
            assertThat(opened.channel().isActive()).isTrue();
            assertThat(edge.core().connections.get()).isEqualTo(2);
        }
    }

    @Test
    void aTokenThatCannotBeJudgedIsAskedToComeBack() throws Exception {
        // given
        status = 500;
        may.countDown();
        try (EdgeUnderTest edge = edge();
                RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(request()).head();

            // then
            assertThat(head.status()).isEqualTo(503);
            assertThat(head.headers()).containsKey("retry-after");
            assertThat(client.body(head)).contains("\"code\":\"unavailable\"");
        }
    }
}

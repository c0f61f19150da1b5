package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.gateway.EdgeUnderTest;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class AdmissionTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    @Test
    void theRateAllowsABurstAndThenItsPace() {
        // given: 10 per second, 5 at once
        AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 50_000_000); // the clock may overflow on the way
        HandshakeRate rate = new HandshakeRate(10, 5, nanos::get);

        // when, then
        for (int i = 0; i < 5; i++) {
            assertThat(rate.tryTake()).isTrue();
        }
        assertThat(rate.tryTake()).isFalse();
        nanos.addAndGet(99_000_000);
        assertThat(rate.tryTake()).isFalse();
        nanos.addAndGet(1_000_000);
        assertThat(rate.tryTake()).isTrue();
        assertThat(rate.tryTake()).isFalse();
        nanos.addAndGet(3_600_000_000_000L); // an idle hour saves up no more than the burst
        for (int i = 0; i < 5; i++) {
            assertThat(rate.tryTake()).isTrue();
        }
        assertThat(rate.tryTake()).isFalse();
    }

    @Test
    void whoeverIsNotTakenInIsToldWhyAndWhenToComeBack() throws Exception {
        // given
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of(
                "tidegate.gateway.limits.connections", 1,
                "tidegate.gateway.limits.handshakes-per-second", 1,
                "tidegate.gateway.limits.handshake-burst", 2))) {
            try (RawHttp taken = new RawHttp(edge.port());
                    RawHttp oneTooMany = new RawHttp(edge.port());
                    RawHttp tooEarly = new RawHttp(edge.port())) {
                // when
                edge.core().partitions = 0;
                assertNotNow(tooEarly, "starting");
                edge.core().partitions = 16;
                assertThat(taken.send(WebSocketHandshakeTest.upgrade("/v1/ws"))
                                .head()
                                .status())
                        .isEqualTo(101);
                edge.nextOpened().channel();
                assertNotNow(oneTooMany, "full");
                edge.core().connections.set(0);
                assertThat(oneTooMany
                                .send(WebSocketHandshakeTest.upgrade("/v1/ws"))
                                .head()
                                .status())
                        .isEqualTo(101);
                edge.nextOpened();

                // then: one a second, so on a slow machine some more may be taken in before
                await().atMost(WITHIN).until(() -> {
                    edge.core().connections.set(0);
                    try (RawHttp tooFast = new RawHttp(edge.port())) {
                        RawHttp.Head head = tooFast.send(WebSocketHandshakeTest.upgrade("/v1/ws"))
                                .head();
                        if (head.status() == 101) {
                            edge.nextOpened();
                            return false;
                        }
                        assertRefused(tooFast, head, "at once");
                        return true;
                    }
                });
            }
        }
    }

    @Test
    void aConnectionThatNeverAsksIsClosedAndOneThatWasTakenOverIsNot() throws Exception {
        // given
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of("tidegate.gateway.socket.http-idle", "500ms"));
                Answered socket = answered(edge, WebSocketHandshakeTest.upgrade("/v1/ws"))) {
            assertThat(socket.head().status()).isEqualTo(101);
            EdgeUnderTest.Opened opened = edge.nextOpened();

            // when, then: one says nothing, one stops in the middle of a head, one has had its answer
            try (RawHttp silent = new RawHttp(edge.port())) {
                assertThat(silent.read()).isEqualTo(-1);
            }
            try (RawHttp stuck = new RawHttp(edge.port())) {
                assertThat(stuck.send("GET /v1/ws HTTP/1.1\r\nHost: g").read()).isEqualTo(-1);
            }
            try (Answered idle = answered(edge, "GET /v1/ws HTTP/1.1\r\nHost: g\r\n\r\n")) {
                assertThat(idle.head().status()).isEqualTo(426);
                idle.client().body(idle.head());
                assertThat(idle.client().read()).isEqualTo(-1);
            }
            assertThat(opened.channel().isActive()).isTrue();
        }
    }

    private record Answered(RawHttp client, RawHttp.Head head) implements AutoCloseable {
        @Override
        public void close() throws IOException {
            client.close();
        }
    }

    /** Asks, on one connection after the other: on a slow machine one may count as idle before it has asked. */
    private static Answered answered(EdgeUnderTest edge, String request) {
        Callable<Answered> ask = () -> {
            RawHttp client = new RawHttp(edge.port());
            try {
                return new Answered(client, client.send(request).head());
            } catch (IOException closed) {
                client.close();
                throw closed;
            }
        };
        return await().atMost(WITHIN)
                .ignoreExceptionsInstanceOf(IOException.class)
                .until(ask, Objects::nonNull);
    }

    private static void assertNotNow(RawHttp client, String why) throws Exception {
        RawHttp.Head head =
                client.send(WebSocketHandshakeTest.upgrade("/v1/ws")).head();
        assertRefused(client, head, why);
    }

    private static void assertRefused(RawHttp client, RawHttp.Head head, String why) throws IOException {
        assertThat(head.status()).isEqualTo(503);
        assertThat(Integer.parseInt(head.headers().get("retry-after"))).isBetween(1, 5);
        assertThat(client.body(head)).contains("\"code\":\"unavailable\"").contains(why);
    }
}

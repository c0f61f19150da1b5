package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.EdgeUnderTest;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.gateway.session.Handshake.WireFormat;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import io.netty.buffer.Unpooled;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class WebSocketHandshakeTest {
    private static EdgeUnderTest edge;

    @BeforeAll
    static void start() {
        edge = EdgeUnderTest.start(Map.of("tidegate.gateway.limits.subscriptions-per-connection", 3));
    }

    @AfterAll
    static void stop() {
        edge.close();
    }

    static String upgrade(String target, String... more) {
        return "GET " + target
                + " HTTP/1.1\r\nHost: gateway\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                + String.join("", more) + "\r\n";
    }

    @Test
    void opensASocketAndHandsItOver() throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            client.send(upgrade(
                    "/v1/ws?channel=news&last=5&channel=orders%3Aeu&after=k3ZqW1xA.7.12&other=1",
                    "Sec-WebSocket-Protocol: chat, tidegate.v1.json\r\n"));
            RawHttp.Head head = client.head();
            EdgeUnderTest.Opened opened = edge.nextOpened();
            opened.channel()
                    .writeAndFlush(Unpooled.wrappedBuffer(new byte[] {104, 105}))
                    .sync();

            // then
            assertThat(head.status()).isEqualTo(101);
            assertThat(head.headers())
                    .containsEntry("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") // RFC 6455, 1.3
                    .containsEntry("sec-websocket-protocol", "tidegate.v1.json")
                    .containsEntry("upgrade", "websocket")
                    .containsEntry("connection", "Upgrade");
            assertThat(opened.handshake().identity()).isSameAs(Identity.ANONYMOUS);
            assertThat(opened.handshake().format()).isEqualTo(WireFormat.WEBSOCKET);
            assertThat(opened.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("news"), null, 5),
                            new Subscribe(new ChannelName("orders:eu"), Cursor.parse("k3ZqW1xA.7.12"), -1));
            assertThat(client.text(2)).isEqualTo("hi");
            assertThat(opened.channel().pipeline().names()).containsExactly("DefaultChannelPipeline$TailContext#0");
        }
    }

    @Test
    void choosesNoSubprotocolThatWasNotOffered() throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(upgrade("/v1/ws", "Sec-WebSocket-Protocol: chat\r\n"))
                    .head();
            edge.nextOpened();

            // then
            assertThat(head.status()).isEqualTo(101);
            assertThat(head.headers()).doesNotContainKey("sec-websocket-protocol");
        }
    }

    static Stream<Arguments> badQueries() {
        return Stream.of(
                Arguments.of("channel=", 400, "channel_invalid", "channel: empty"),
                Arguments.of("channel=a%20b", 400, "channel_invalid", "U+0020"),
                Arguments.of("channel=a%C3", 400, "bad_request", "channel: not UTF-8"),
                Arguments.of("channel=" + "x".repeat(256), 400, "channel_invalid", "longer than 255"),
                Arguments.of("channel=nowhere:x", 404, "unknown_namespace", "'nowhere' is not declared"),
                Arguments.of("channel=user:joe", 401, "unauthenticated", "a token is needed"),
                Arguments.of("channel=a&after=x", 400, "cursor_invalid", "cursor: 'x'"),
                Arguments.of("after=k3ZqW1xA.7.12", 400, "bad_request", "after: without a channel"),
                Arguments.of("channel=a&last=-1", 400, "bad_request", "last: '-1'"),
                Arguments.of("channel=a&last=1&last=2", 400, "bad_request", "last: a second position"),
                Arguments.of("channel=a&channel=a", 400, "bad_request", "channel: 'a' twice"),
                Arguments.of("channel=a&channel=b&channel=c&channel=d", 429, "limit_exceeded", "at most 3"),
                Arguments.of("token=x&token=y", 400, "bad_request", "token: given twice"),
                Arguments.of("token=x", 401, "unauthenticated", "token"));
    }

    @ParameterizedTest
    @MethodSource("badQueries")
    void refusesABadQuery(String query, int status, String code, String detail) throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(upgrade("/v1/ws?" + query)).head();

            // then
            assertThat(head.status()).isEqualTo(status);
            assertThat(head.headers()).containsEntry("content-type", "application/problem+json");
            assertThat(client.body(head)).contains("\"code\":\"" + code + "\"").contains(detail);
            assertStillServed(client);
        }
    }

    @Test
    void refusesWhatIsNoWebSocketHandshake() throws Exception {
        assertRefused("GET /v1/ws HTTP/1.1\r\nHost: g\r\n\r\n", 426, "Upgrade: websocket");
        assertRefused(upgrade("/v1/ws").replace("GET", "POST"), 405, "method: POST");
        assertRefused(upgrade("/v1/ws").replace("Version: 13", "Version: 8"), 426, "Sec-WebSocket-Version: 8");
        assertRefused(upgrade("/v1/ws").replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), 400, "Sec-WebSocket-Key");
        assertRefused(upgrade("/v1/ws").replace("dGhlIHNhbXBsZSBub25jZQ==", "!!!!IHNhbXBsZSBub25jZQ=="), 400, "Key");
        assertRefused(upgrade("/v1/ws").replace("keep-alive, Upgrade", "keep-alive"), 426, "Connection: Upgrade");
        assertRefused(upgrade("/v1/ws", "Authorization: Basic YTpi\r\n"), 401, "not a bearer token");
    }

    @Test
    void refusesATargetThatIsNoUri() throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when: WebFlux answers this one by itself, without a body
            RawHttp.Head head = client.send(upgrade("/v1/ws?channel=a%zz")).head();

            // then
            assertThat(head.status()).isEqualTo(400);
        }
    }

    @Test
    void refusesABody() throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(upgrade("/v1/ws", "Content-Length: 2\r\n") + "hi")
                    .head();

            // then
            assertThat(head.status()).isEqualTo(400);
            assertThat(client.body(head)).contains("body: not empty");
        }
    }

    private static void assertRefused(String request, int status, String detail) throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(request).head();

            // then
            assertThat(head.status()).isEqualTo(status);
            assertThat(client.body(head)).contains(detail);
            assertStillServed(client);
        }
    }

    /** A refusal ends the handshake, not the connection. */
    private static void assertStillServed(RawHttp client) throws Exception {
        client.send("GET /actuator/health/liveness HTTP/1.1\r\nHost: g\r\n\r\n");
        assertThat(client.head().status()).isEqualTo(200);
    }
}

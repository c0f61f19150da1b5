package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.EdgeUnderTest;
import dev.tidegate.gateway.auth.Tokens;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.gateway.session.Handshake.WireFormat;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ResumeToken;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class SseEndpointTest {
    private static EdgeUnderTest edge;

    @BeforeAll
    static void start() {
        edge = EdgeUnderTest.start(Map.of(
                "tidegate.gateway.limits.sse-channels",
                3,
                "tidegate.gateway.allowed-origins",
                "https://app.example",
                "tidegate.auth.hs256-secret",
                Tokens.SECRET));
    }

    @AfterAll
    static void stop() {
        edge.close();
    }

    private static String get(String target, String... headers) {
        return "GET " + target + " HTTP/1.1\r\nHost: gateway\r\n" + String.join("", headers) + "\r\n";
    }

    private static EdgeUnderTest.Opened open(RawHttp client, String request) throws Exception {
        RawHttp.Head head = client.send(request).head();
        assertThat(head.status()).isEqualTo(200);
        return edge.nextOpened();
    }

    private static void assertRefused(String request, int status, String code, String detail) throws Exception {
        try (RawHttp client = new RawHttp(edge.port())) {
            RawHttp.Head head = client.send(request).head();
            assertThat(head.status()).isEqualTo(status);
            assertThat(client.body(head)).contains("\"code\":\"" + code + "\"").contains(detail);
        }
    }

    @Test
    void writesTheHeadOfAStreamThatEndsWithItsConnection() throws Exception {
        // given
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(get("/v1/sse?channel=news&channel=orders:eu&last=3"))
                    .head();
            EdgeUnderTest.Opened opened = edge.nextOpened();
            opened.channel()
                    .writeAndFlush(Unpooled.copiedBuffer("data: 1\n\n", StandardCharsets.UTF_8))
                    .sync();
            String data = client.text(9);
            opened.channel().close().sync();

            // then
            assertThat(head.statusLine()).isEqualTo("HTTP/1.1 200 OK");
            assertThat(head.headers())
                    .containsEntry("content-type", "text/event-stream")
                    .containsEntry("cache-control", "no-store")
                    .containsEntry("connection", "close")
                    .containsEntry("x-accel-buffering", "no")
                    .doesNotContainKeys("transfer-encoding", "content-length", "access-control-allow-origin");
            assertThat(opened.handshake().format()).isEqualTo(WireFormat.SSE);
            assertThat(opened.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("news"), null, -1),
                            new Subscribe(new ChannelName("orders:eu"), null, 3));
            assertThat(data).isEqualTo("data: 1\n\n");
            assertThat(client.read()).isEqualTo(-1);
        }
    }

    @Test
    void resumesEachChannelFromItsPartitionsPositionWhateverTheUrlSays() throws Exception {
        // given: a token that covers the partition of one channel, and not that of the other
        int a = Tail.partitionOf("a".getBytes(StandardCharsets.UTF_8), 16);
        int b = Tail.partitionOf("b".getBytes(StandardCharsets.UTF_8), 16);
        assertThat(a).isNotEqualTo(b);
        ResumeToken token = ResumeToken.of(List.of(
                new Cursor("k3ZqW1xA", a, 17),
                new Cursor("k3ZqW1xA", (b + 1) % 16 == a ? (b + 2) % 16 : (b + 1) % 16, 99)));
        String url = "/v1/sse?channel=a&after=k3ZqW1xA.1.1&channel=b&last=4&lastEventId=k3ZqW1xA." + a + ".5";
        try (RawHttp byHeader = new RawHttp(edge.port());
                RawHttp byQuery = new RawHttp(edge.port())) {
            // when
            EdgeUnderTest.Opened header = open(byHeader, get(url, "Last-Event-ID: " + token + "\r\n"));
            EdgeUnderTest.Opened query = open(byQuery, get(url, "Last-Event-ID: \r\n"));

            // then
            assertThat(header.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("a"), new Cursor("k3ZqW1xA", a, 17), -1),
                            new Subscribe(new ChannelName("b"), null, 4));
            assertThat(query.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("a"), new Cursor("k3ZqW1xA", a, 5), -1),
                            new Subscribe(new ChannelName("b"), null, 4));
        }
    }

    @Test
    void readsATokenOfBeforePartitionsWereAddedByThePartitionsOfThen() throws Exception {
        // given: two channels that have moved when eight partitions were added
        edge.core().layouts = List.of(24, 16);
        int d = Tail.partitionOf("d".getBytes(StandardCharsets.UTF_8), 16);
        int b = Tail.partitionOf("b".getBytes(StandardCharsets.UTF_8), 16);
        int dNow = Tail.partitionOf("d".getBytes(StandardCharsets.UTF_8), 24);
        int bNow = Tail.partitionOf("b".getBytes(StandardCharsets.UTF_8), 24);
        assertThat(List.of(d, b)).doesNotContain(dNow, bNow);
        ResumeToken old = ResumeToken.of(List.of(new Cursor("k3ZqW1xA", d, 17), new Cursor("k3ZqW1xA", b, 99)));
        ResumeToken now = ResumeToken.of(List.of(new Cursor("k3ZqW1xA", dNow, 3), new Cursor("k3ZqW1xA", bNow, 4)));
        try (RawHttp before = new RawHttp(edge.port());
                RawHttp since = new RawHttp(edge.port())) {
            // when
            String request = get("/v1/sse?channel=d&channel=b", "Last-Event-ID: ");
            EdgeUnderTest.Opened ofOld = open(before, request.replace("ID: ", "ID: " + old + "\r\n"));
            EdgeUnderTest.Opened ofNow = open(since, request.replace("ID: ", "ID: " + now + "\r\n"));

            // then
            assertThat(ofOld.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("d"), new Cursor("k3ZqW1xA", d, 17), -1),
                            new Subscribe(new ChannelName("b"), new Cursor("k3ZqW1xA", b, 99), -1));
            assertThat(ofNow.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("d"), new Cursor("k3ZqW1xA", dNow, 3), -1),
                            new Subscribe(new ChannelName("b"), new Cursor("k3ZqW1xA", bNow, 4), -1));
        } finally {
            edge.core().layouts = List.of(16);
        }
    }

    @Test
    void resumesEveryChannelFromATokenOfAnotherTopicSoThatEachIsToldAGap() throws Exception {
        // given: a token of a topic that had another number of partitions
        int b = Tail.partitionOf("b".getBytes(StandardCharsets.UTF_8), 16);
        String bearer = "Authorization: Bearer " + Tokens.hs256("joe", Map.of()) + "\r\n";
        ResumeToken token = ResumeToken.of(List.of(new Cursor("AAAAAAAA", b, 7), new Cursor("AAAAAAAA", 99, 3)));
        Cursor any = token.cursor(token.offsets().firstKey());
        try (RawHttp client = new RawHttp(edge.port())) {
            // when
            EdgeUnderTest.Opened opened =
                    open(client, get("/v1/sse?channel=d&channel=b", bearer, "Last-Event-ID: " + token + "\r\n"));

            // then
            assertThat(opened.handshake().subscribes())
                    .containsExactly(
                            new Subscribe(new ChannelName("d"), any, -1),
                            new Subscribe(new ChannelName("b"), new Cursor("AAAAAAAA", b, 7), -1),
                            new Subscribe(new ChannelName("user:joe"), any, -1));
        }
    }

    @Test
    void refusesWhatItCannotServe() throws Exception {
        assertRefused(get("/v1/sse"), 400, "bad_request", "channel: missing");
        assertRefused(get("/v1/sse?channel=a&channel=b&channel=c&channel=d"), 429, "limit_exceeded", "at most 3");
        assertRefused(get("/v1/sse?channel=a", "Last-Event-ID: what\r\n"), 400, "cursor_invalid", "what");
        assertRefused(get("/v1/sse?channel=x:a"), 404, "unknown_namespace", "'x'");
        assertRefused(get("/v1/sse?channel=user:joe"), 401, "unauthenticated", "a token is needed");
        assertRefused(
                get("/v1/sse?channel=user:joe&token=" + Tokens.hs256("ann", Map.of())),
                403,
                "forbidden",
                "you may not subscribe to 'user:joe'");
        assertRefused(get("/v1/sse?channel=a").replace("GET", "POST"), 405, "bad_request", "method: POST");
    }

    @Test
    void takesATokenFromTheHeaderOrTheQueryAndThenNeedsNoChannelButThePersonalOne() throws Exception {
        // given
        String token = Tokens.hs256("joe", Map.of());
        try (RawHttp byHeader = new RawHttp(edge.port());
                RawHttp byQuery = new RawHttp(edge.port())) {
            // when
            EdgeUnderTest.Opened header =
                    open(byHeader, get("/v1/sse?channel=user:joe", "Authorization: bearer " + token + "\r\n"));
            EdgeUnderTest.Opened query = open(byQuery, get("/v1/sse?token=" + token, "Authorization: Basic YTpi\r\n"));

            // then
            assertThat(header.handshake().identity().subject()).isEqualTo("joe");
            assertThat(query.handshake().identity().subject()).isEqualTo("joe");
            assertThat(query.handshake().subscribes()).isEmpty();
        }
    }

    @Test
    void resumesPersonalChannelsThatAreNotInTheUrl() throws Exception {
        // given
        String bearer = "Authorization: Bearer " + Tokens.hs256("joe", Map.of()) + "\r\n";
        int mine = Tail.partitionOf("user:joe".getBytes(StandardCharsets.UTF_8), 16);
        String token = "k3ZqW1xA." + mine + ".17";
        String other = "k3ZqW1xA." + (mine + 1) % 16 + ".17";
        Subscribe resumed = new Subscribe(new ChannelName("user:joe"), new Cursor("k3ZqW1xA", mine, 17), -1);
        try (RawHttp covered = new RawHttp(edge.port());
                RawHttp inTheUrl = new RawHttp(edge.port());
                RawHttp notCovered = new RawHttp(edge.port())) {
            // when / then
            assertThat(open(covered, get("/v1/sse", bearer, "Last-Event-ID: " + token + "\r\n"))
                            .handshake()
                            .subscribes())
                    .containsExactly(resumed);
            assertThat(open(inTheUrl, get("/v1/sse?channel=user:joe", bearer, "Last-Event-ID: " + token + "\r\n"))
                            .handshake()
                            .subscribes())
                    .containsExactly(resumed);
            assertThat(open(notCovered, get("/v1/sse", bearer, "Last-Event-ID: " + other + "\r\n"))
                            .handshake()
                            .subscribes())
                    .isEmpty();
        }
    }

    @Test
    void servesHttp10AndAnswersHead() throws Exception {
        // given
        try (RawHttp old = new RawHttp(edge.port());
                RawHttp head = new RawHttp(edge.port())) {
            // when
            EdgeUnderTest.Opened opened = open(old, "GET /v1/sse?channel=a HTTP/1.0\r\n\r\n");
            RawHttp.Head answer =
                    head.send(get("/v1/sse?channel=a").replace("GET", "HEAD")).head();

            // then
            assertThat(opened.handshake().subscribes()).hasSize(1);
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.headers()).containsEntry("content-type", "text/event-stream");
            head.send("GET /actuator/health/liveness HTTP/1.1\r\nHost: g\r\n\r\n");
            assertThat(head.head().status()).isEqualTo(200);
        }
    }

    @Test
    void letsConfiguredOriginsReadAndNoOthers() throws Exception {
        // given
        String allowed = "Origin: https://app.example\r\n";
        try (RawHttp client = new RawHttp(edge.port());
                RawHttp preflight = new RawHttp(edge.port());
                RawHttp stranger = new RawHttp(edge.port());
                RawHttp strangersSocket = new RawHttp(edge.port())) {
            // when
            RawHttp.Head stream = client.send(get("/v1/sse?channel=a", allowed)).head();
            edge.nextOpened();
            RawHttp.Head options = preflight
                    .send("OPTIONS /v1/sse HTTP/1.1\r\nHost: gateway\r\n" + allowed
                            + "Access-Control-Request-Method: GET\r\n"
                            + "Access-Control-Request-Headers: authorization\r\n\r\n")
                    .head();
            RawHttp.Head refused = stranger.send(get("/v1/sse?channel=a", "Origin: https://evil.example\r\n"))
                    .head();
            RawHttp.Head refusedSocket = strangersSocket
                    .send(WebSocketHandshakeTest.upgrade("/v1/ws", "Origin: https://evil.example\r\n"))
                    .head();

            // then
            assertThat(stream.headers())
                    .containsEntry("access-control-allow-origin", "https://app.example")
                    .containsKey("vary");
            assertThat(options.status()).isEqualTo(200);
            assertThat(options.headers()).containsEntry("access-control-allow-headers", "authorization");
            assertThat(refused.status()).isEqualTo(403);
            assertThat(refusedSocket.status()).isEqualTo(403);
        }
    }
}

package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tidegate.gateway.EdgeUnderTest;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.uring.IoUring;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import javax.management.ObjectName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TakeOverTest {
    private static final Duration WITHIN = Duration.ofMinutes(1);

    /** What WebFlux and the HTTP servers below it keep for an exchange. */
    private static final List<String> OF_AN_EXCHANGE = List.of(
            "reactor.netty.http.server.",
            "reactor.core.publisher.Mono",
            "org.springframework.web.server.",
            "org.springframework.http.server.reactive.",
            "io.micrometer.core.instrument.",
            "io.netty.handler.codec.http.");

    private static boolean works(String transport) {
        return switch (transport) {
            case "io_uring" -> IoUring.isAvailable();
            case "epoll" -> Epoll.isAvailable();
            default -> true;
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"io_uring", "epoll", "nio"})
    void aSocketWorksBothWaysOnEachTransport(String transport) throws Exception {
        // given
        assumeTrue(works(transport), transport + " does not work here");
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of("tidegate.gateway.transport", transport))) {
            CompletableFuture<byte[]> fromClient = new CompletableFuture<>();
            edge.core().opener = (channel, handshake) -> {
                channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                    @Override
                    public void channelRead(ChannelHandlerContext ctx, Object message) {
                        ByteBuf bytes = (ByteBuf) message;
                        byte[] copy = new byte[bytes.readableBytes()];
                        bytes.readBytes(copy);
                        bytes.release();
                        fromClient.complete(copy);
                    }
                });
                var _ = channel.write(Unpooled.wrappedBuffer(new byte[] {(byte) 0x81, 2, 'h', 'i'}));
            };
            CompletableFuture<String> fromServer = new CompletableFuture<>();
            try (HttpClient http = HttpClient.newHttpClient()) {
                // when
                WebSocket socket = http.newWebSocketBuilder()
                        .subprotocols(WebSocketEndpoint.SUBPROTOCOL)
                        .buildAsync(
                                URI.create("ws://127.0.0.1:" + edge.port() + "/v1/ws?channel=news"),
                                new WebSocket.Listener() {
                                    @Override
                                    public CompletionStage<?> onText(WebSocket ws, CharSequence data, boolean last) {
                                        fromServer.complete(data.toString());
                                        return null;
                                    }
                                })
                        .get(60, TimeUnit.SECONDS);
                socket.sendText("hello", true).get(60, TimeUnit.SECONDS);

                // then
                assertThat(socket.getSubprotocol()).isEqualTo(WebSocketEndpoint.SUBPROTOCOL);
                assertThat(fromServer.get(60, TimeUnit.SECONDS)).isEqualTo("hi");
                byte[] frame = fromClient.get(60, TimeUnit.SECONDS);
                assertThat(frame[0]).isEqualTo((byte) 0x81);
                assertThat(frame[1]).isEqualTo((byte) (0x80 | 5));
                socket.abort();
            }
        }
    }

    /** An exchange that stayed reachable would stay for the hours its socket is open, and cost more than the socket. */
    @Test
    void nothingOfAnExchangeStaysWithAnOpenSocket() throws Exception {
        // given
        int sockets = 300;
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of())) {
            List<RawHttp> clients = new ArrayList<>();
            try {
                open(edge, clients, 50); // what is made once is made now
                Map<String, Long> before = instances();

                // when
                open(edge, clients, sockets);

                // then
                await().atMost(WITHIN)
                        .untilAsserted(() -> assertThat(grown(before, instances(), sockets / 10))
                                .isEmpty());
                assertThat(edge.core().connections.get()).isEqualTo(sockets + 50);
            } finally {
                for (RawHttp c : clients) {
                    c.close();
                }
            }
            await().atMost(WITHIN)
                    .untilAsserted(
                            () -> assertThat(edge.core().connections.get()).isZero());
        }
    }

    private static void open(EdgeUnderTest edge, List<RawHttp> clients, int count) throws Exception {
        for (int i = 0; i < count; i++) {
            RawHttp client = new RawHttp(edge.port());
            clients.add(client);
            boolean sse = i % 2 == 0;
            client.send(
                    sse
                            ? "GET /v1/sse?channel=a HTTP/1.1\r\nHost: g\r\n\r\n"
                            : WebSocketHandshakeTest.upgrade("/v1/ws?channel=a"));
            assertThat(client.head().status()).isEqualTo(sse ? 200 : 101);
            edge.nextOpened();
        }
    }

    /** Classes of an exchange with so many more instances than before. */
    private static Map<String, Long> grown(Map<String, Long> before, Map<String, Long> after, long by) {
        return after.entrySet().stream()
                .filter(e -> OF_AN_EXCHANGE.stream().anyMatch(e.getKey()::startsWith))
                .filter(e -> e.getValue() - before.getOrDefault(e.getKey(), 0L) >= by)
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    /** Live instances by class, after a collection. */
    private static Map<String, Long> instances() throws Exception {
        String histogram = (String) ManagementFactory.getPlatformMBeanServer()
                .invoke(
                        new ObjectName("com.sun.management:type=DiagnosticCommand"),
                        "gcClassHistogram",
                        new Object[] {new String[0]},
                        new String[] {String[].class.getName()});
        return histogram
                .lines()
                .map(String::strip)
                .filter(l -> l.matches("[0-9]+: +[0-9]+ +[0-9]+ .*"))
                .map(l -> l.split(" +", -1))
                .collect(Collectors.toMap(f -> f[3], f -> Long.parseLong(f[1]), Long::sum));
    }
}

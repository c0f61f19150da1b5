package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.EdgeUnderTest;
import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.session.LoopShard;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.gateway.session.ScriptedDurableStore;
import dev.tidegate.gateway.session.SessionLimits;
import dev.tidegate.gateway.session.Shards;
import io.netty.buffer.ByteBufAllocator;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.WebsocketClientSpec;

/** Compression with a client that is not ours (Netty's), through the whole edge and real shards; only Kafka is away. */
class DeflateClientTest {
    private static final Duration WAIT = Duration.ofSeconds(60);

    @Test
    void offersAreIgnoredUnlessCompressionIsOn() throws Exception {
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of());
                RawHttp client = new RawHttp(edge.port())) {
            // when
            RawHttp.Head head = client.send(WebSocketHandshakeTest.upgrade(
                            "/v1/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
                    .head();

            // then
            assertThat(head.status()).isEqualTo(101);
            assertThat(head.headers()).doesNotContainKey("sec-websocket-extensions");
        }
    }

    @Test
    void aForeignClientReadsAndWritesCompressedMessages() throws Exception {
        // given
        GatewayMetrics metrics = new GatewayMetrics();
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of("tidegate.gateway.compression.enabled", true));
                Shards shards =
                        new Shards(edge.context().getBean(EventLoops.class).group(), shared(metrics))) {
            FanoutDispatcher dispatcher = new FanoutDispatcher(
                    shards.all(), ByteBufAllocator.DEFAULT, 1 << 16, metrics, new FrameDeflater(6, 256));
            dispatcher.moveTo(new Tail("epoch000", new long[] {-1}, dispatcher.loops()));
            edge.core().opener = shards;
            String data = "\"" + "compressible ".repeat(100) + "\"";
            Sinks.Many<String> received = Sinks.many().unicast().onBackpressureBuffer();
            Sinks.Many<String> sent = Sinks.many().unicast().onBackpressureBuffer();

            // when
            var connection = HttpClient.create()
                    .websocket(WebsocketClientSpec.builder()
                            .compress(true)
                            .compressionAllowClientNoContext(true)
                            .build())
                    .uri("ws://127.0.0.1:" + edge.port() + "/v1/ws?channel=news")
                    .handle((in, out) -> {
                        Mono<Void> reading = in.receive()
                                .asString()
                                .doOnNext(t -> received.emitNext(t, Sinks.EmitFailureHandler.FAIL_FAST))
                                .then();
                        return out.sendString(sent.asFlux()).then().and(reading);
                    })
                    .subscribe();
            List<String> texts = received.asFlux()
                    .doOnNext(text -> {
                        if (text.contains("\"op\":\"subscribed\"")) {
                            sent.emitNext(
                                    "{\"op\":\"ping\",\"id\":\"" + "p".repeat(100) + "\"}",
                                    Sinks.EmitFailureHandler.FAIL_FAST);
                        } else if (text.contains("\"op\":\"pong\"")) {
                            publish(dispatcher, 0, data, "1", data);
                        }
                    })
                    .take(6)
                    .collectList()
                    .block(WAIT);
            connection.dispose();

            // then
            assertThat(texts).hasSize(6);
            assertThat(texts.get(2)).isEqualTo("{\"op\":\"pong\",\"id\":\"" + "p".repeat(100) + "\"}");
            assertThat(texts.get(3)).contains("\"data\":" + data);
            assertThat(texts.get(4)).contains("\"data\":1");
            assertThat(texts.get(5)).contains("\"data\":" + data);
            assertThat(metrics.deflatedTo.sum()).isPositive().isLessThan(data.length());
        }
    }

    private static void publish(FanoutDispatcher dispatcher, long first, String... data) {
        try {
            dispatcher.begin();
            dispatcher.moved(0, first + data.length - 1);
            dispatcher.lookUp();
            for (int i = 0; i < data.length; i++) {
                dispatcher.record(Batches.record(0, first + i, "news", data[i]));
            }
            dispatcher.end(data.length);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static LoopShard.Shared shared(GatewayMetrics metrics) {
        return new LoopShard.Shared(
                SessionLimits.DEFAULT,
                new AccessPolicy(Map.of("default", new AccessPolicy.Namespace(1, false, true, true, true))),
                (token, done) -> {
                    throw new AssertionError();
                },
                (request, listener) -> {
                    throw new AssertionError();
                },
                (identity, frame, done) -> {
                    throw new AssertionError();
                },
                new ScriptedDurableStore(),
                Presence.NONE,
                () -> true,
                metrics);
    }
}

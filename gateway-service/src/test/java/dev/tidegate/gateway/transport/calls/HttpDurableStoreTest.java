package dev.tidegate.gateway.transport.calls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.session.DurableStore.Found;
import dev.tidegate.gateway.session.DurableStore.Stored;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.ErrorCode;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The calls about durable cursors, and what comes of bad answers. */
@Timeout(180)
class HttpDurableStoreTest {
    private static final MultiThreadIoEventLoopGroup GROUP =
            new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private static final EventLoop LOOP = (EventLoop) GROUP.iterator().next();
    private static final Cursor CURSOR = Cursor.parse("k3ZqW1xA.7.10");

    @AfterAll
    static void stop() throws InterruptedException {
        GROUP.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }

    private static HttpDurableStore store(URI url) {
        return new HttpDurableStore(
                List.of(LOOP),
                new GatewaySettings.ReplayService(url, Duration.ofMillis(3), 8, 10, 1024, Duration.ofSeconds(50)),
                "a-service-token");
    }

    private static DurableCursors.CursorKey key(String channel) {
        return new DurableCursors.CursorKey("ann", "phone", new ChannelName(channel));
    }

    /** Looks these up in one turn of the loop, as the sessions of a reconnect storm do. */
    private static List<Found> find(HttpDurableStore store, int count) {
        List<CompletableFuture<Found>> found = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            found.add(new CompletableFuture<>());
        }
        LOOP.execute(() -> {
            for (int i = 0; i < count; i++) {
                store.find(key("c" + i), found.get(i)::complete);
            }
        });
        return found.stream().map(CompletableFuture::join).toList();
    }

    private static Stored ack(HttpDurableStore store) {
        CompletableFuture<Stored> stored = new CompletableFuture<>();
        store.store(List.of(new DurableCursors.Ack(key("c"), CURSOR)), stored::complete);
        return stored.join();
    }

    @Test
    void lookUpsTravelTogetherAndAcknowledgementsAsTheyCome() throws Exception {
        try (ScriptedServer server = new ScriptedServer((request, answer) -> answer.whole(
                        200,
                        "application/json",
                        request.line().contains("/ack")
                                ? "{\"refused\":[0]}"
                                : "{\"cursors\":[\"k3ZqW1xA.7.10\",null]}"));
                HttpDurableStore store = store(server.url())) {
            // when, then
            assertThat(find(store, 2)).containsExactly(new Found.At(CURSOR), new Found.Never());
            ScriptedServer.Request found = server.nextRequest();
            assertThat(found.line()).startsWith("POST /v1/cursors/find ");
            assertThat(found.headers()).containsEntry("authorization", "Bearer a-service-token");
            assertThat(DurableCursors.decodeKeys(found.body())).containsExactly(key("c0"), key("c1"));
            assertThat(ack(store)).isEqualTo(new Stored.Done(List.of(0)));
            assertThat(DurableCursors.decodeAcks(server.nextRequest().body()))
                    .containsExactly(new DurableCursors.Ack(key("c"), CURSOR));
            assertThat(server.requestsWaiting()).isZero();
        }
    }

    @Test
    void onlyARefusalOfTheRequestItselfIsFinal() throws Exception {
        String[] answers = {
            "503 {\"code\":\"unavailable\",\"detail\":\"PostgreSQL: away\"}",
            "401 {\"code\":\"unauthenticated\",\"detail\":\"wrong\"}",
            "404 {\"code\":\"bad_request\",\"detail\":\"path\"}",
            "502 <html>",
            "200 {}",
            "200 {\"cursors\":[]}",
            "200 nonsense",
            "400 {\"code\":\"bad_request\",\"detail\":\"durable: no cursors are kept here\"}",
        };
        List<String> script = new ArrayList<>(List.of(answers));
        try (ScriptedServer server = new ScriptedServer((request, answer) -> {
                    String next = script.removeFirst();
                    answer.whole(Integer.parseInt(next.substring(0, 3)), "application/problem+json", next.substring(4));
                });
                HttpDurableStore store = store(server.url())) {
            // when
            List<Found> found = new ArrayList<>();
            for (int i = 0; i < answers.length; i++) {
                found.addAll(find(store, 1));
            }

            // then
            assertThat(found.subList(0, found.size() - 1))
                    .allSatisfy(f -> assertThat(((Found.Failed) f).code()).isEqualTo(ErrorCode.UNAVAILABLE));
            assertThat(found.getFirst())
                    .isEqualTo(new Found.Failed(ErrorCode.UNAVAILABLE, "replay: status 503: PostgreSQL: away"));
            assertThat(found.getLast())
                    .isEqualTo(new Found.Failed(ErrorCode.BAD_REQUEST, "durable: no cursors are kept here"));
        }
    }

    @Test
    void nobodyThereAndAFullQueueAreToldAtOnce() {
        try (HttpDurableStore store = store(URI.create("http://127.0.0.1:1"))) {
            // when
            List<Found> found = find(store, 12);

            // then
            assertThat(found)
                    .hasSize(12)
                    .allSatisfy(f -> assertThat(((Found.Failed) f).code()).isEqualTo(ErrorCode.UNAVAILABLE));
            assertThat(((Found.Failed) found.getLast()).message())
                    .contains("queue")
                    .contains("full");
            assertThat(ack(store)).isInstanceOf(Stored.Failed.class);
        }
    }
}

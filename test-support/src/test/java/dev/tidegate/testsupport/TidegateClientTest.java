package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

@Timeout(180)
class TidegateClientTest {

    private static final Duration SOON = Duration.ofMinutes(1);
    private static final String CONNECTED =
            "{\"op\":\"connected\",\"connection\":\"x\",\"heartbeatMs\":30000,\"version\":\"1\"}";

    private ScriptedServer server;

    @BeforeEach
    void start() throws IOException {
        server = new ScriptedServer();
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private static void event(ScriptedServer.Peer peer, String id, long prev, long offset) {
        peer.send(
                "{\"op\":\"event\",\"channel\":\"c\",\"cursor\":\"e.0.%d\",\"prev\":%d,\"id\":\"%s\",\"data\":{\"n\":1}}"
                        .formatted(offset, prev, id));
    }

    @Test
    @DisplayName("subscribes, takes events, loses the connection, and asks again after its position")
    void comesBack() throws Exception {
        try (TidegateClient client = TidegateClient.at(server.url()).name("a").start()) {
            // given
            ScriptedServer.Peer first = server.next();
            first.send(CONNECTED);
            client.await("connected", SOON, client::isConnected);
            CompletableFuture<JsonNode> subscribed = client.subscribe("c");
            JsonNode asked = first.receive();
            assertThat(asked.path("op").asString()).isEqualTo("subscribe");
            assertThat(asked.has("after")).isFalse();
            first.send("{\"op\":\"subscribed\",\"channel\":\"c\",\"cursor\":\"e.0.4\",\"recovery\":\"none\"}");
            event(first, "1", 4, 5);
            subscribed.get(60, TimeUnit.SECONDS);
            client.awaitEvents("c", 1, SOON);
            // when
            first.drop();
            ScriptedServer.Peer second = server.next();
            second.send(CONNECTED);
            JsonNode again = second.receive();
            second.send(
                    "{\"op\":\"subscribed\",\"channel\":\"c\",\"cursor\":\"e.0.7\",\"recovery\":\"complete\",\"replayed\":1}");
            second.send(
                    "{\"op\":\"event\",\"channel\":\"c\",\"cursor\":\"e.0.7\",\"prev\":5,\"id\":\"2\",\"data\":1,\"replay\":true}");
            client.awaitEvents("c", 2, SOON);
            // then
            assertThat(again.path("after").asString()).isEqualTo("e.0.5");
            assertThat(client.connects()).isEqualTo(2);
            assertThat(client.replayed()).isEqualTo(1);
            assertThat(client.violations()).isEmpty();
            assertThat(client.isWhole()).isTrue();
        }
    }

    @Test
    @DisplayName("a hole is recorded with client, channel and frame")
    void recordsHoles() throws Exception {
        try (TidegateClient client = TidegateClient.at(server.url()).name("b").start()) {
            // given
            ScriptedServer.Peer peer = server.next();
            peer.send(CONNECTED);
            var _ = client.subscribe("c");
            peer.receive();
            peer.send("{\"op\":\"subscribed\",\"channel\":\"c\",\"cursor\":\"e.0.4\",\"recovery\":\"none\"}");
            // when
            event(peer, "x", 6, 7);
            client.awaitEvents("c", 1, SOON);
            peer.send("{\"op\":\"event\",\"channel\":\"other\",\"id\":\"y\",\"data\":1}");
            client.await("violation", SOON, () -> client.violations().size() == 2);
            // then
            assertThat(client.violations().getFirst()).satisfies(violation -> {
                assertThat(violation.client()).isEqualTo("b");
                assertThat(violation.channel()).isEqualTo("c");
                assertThat(violation.rule()).startsWith("hole");
                assertThat(violation.frame()).contains("\"prev\":6");
            });
            assertThat(client.violations().get(1).rule()).contains("not asked for");
        }
    }

    @Test
    @DisplayName("the range of the close code says whether it comes back")
    void closeCodes() throws Exception {
        try (TidegateClient client = TidegateClient.at(server.url()).start()) {
            // given
            ScriptedServer.Peer first = server.next();
            first.send(CONNECTED);
            client.await("connected", SOON, client::isConnected);
            // when
            first.close(4001);
            ScriptedServer.Peer second = server.next();
            second.send(CONNECTED);
            client.await("second connect", SOON, () -> client.connects() == 2);
            second.close(4100);
            client.await("second close", SOON, () -> client.closeCodes().size() == 2);
            // then
            assertThat(client.closeCodes()).containsExactly(4001, 4100);
            assertThatThrownBy(
                            () -> client.await("third connect", Duration.ofMillis(500), () -> client.connects() == 3))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("no third connect");
        }
    }

    @Test
    @DisplayName("a server that falls silent is given up after two heartbeats")
    void silence() throws Exception {
        try (TidegateClient client = TidegateClient.at(server.url()).start()) {
            // given
            server.next().send(CONNECTED.replace("30000", "100"));
            // when nothing more comes
            ScriptedServer.Peer second = server.next();
            second.send(CONNECTED);
            // then
            client.await("second connect", SOON, () -> client.connects() == 2);
            assertThat(client.closeCodes()).containsExactly(4002);
        }
    }

    @Test
    @DisplayName("an error frame fails the request that it answers, and leaves no subscription behind")
    void errors() throws Exception {
        try (TidegateClient client = TidegateClient.at(server.url()).start()) {
            // given
            ScriptedServer.Peer peer = server.next();
            peer.send(CONNECTED);
            client.await("connected", SOON, client::isConnected);
            // when
            CompletableFuture<JsonNode> subscribed = client.subscribe("nowhere:x");
            String id = peer.receive().path("id").asString();
            peer.send(
                    "{\"op\":\"error\",\"id\":\"%s\",\"code\":\"unknown_namespace\",\"message\":\"m\",\"channel\":\"nowhere:x\"}"
                            .formatted(id));
            // then
            assertThatThrownBy(() -> subscribed.get(60, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(TidegateClient.AnsweredWithError.class)
                    .hasMessageContaining("unknown_namespace");
            assertThat(client.isWhole()).isTrue();
            // and a request by id
            CompletableFuture<JsonNode> pong = client.ping();
            peer.send("{\"op\":\"pong\",\"id\":\"%s\"}"
                    .formatted(peer.receive().path("id").asString()));
            assertThat(pong.get(60, TimeUnit.SECONDS).path("op").asString()).isEqualTo("pong");
        }
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static dev.tidegate.it.Answers.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ReceivedGap;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.TidegateClient;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** What clients send wrong: each has its documented answer, and the connection or at least the gateway lives on. */
@Timeout(600)
class BadFramesTest {

    private static final int FLOOD = 100_000;
    private static final int SUBSCRIPTIONS = 1_000;
    private static final int MAX_CHANNEL_BYTES = 255;

    /** Not the common pool, which may have one thread. */
    private static final Executor ON_A_THREAD = task -> Thread.ofVirtual().start(task);

    private final Services services = Services.quiet();
    private final ServiceProcess gateway = services.gateway();

    /** Whatever was sent: others are served as before. */
    @AfterEach
    void gatewayLives() {
        String channel = Backends.unique("chat:alive");
        try (TidegateClient client = TidegateClient.at(gateway.url()).connect()) {
            answer(client.subscribe(channel));
            services.publisher().stored(channel, "1");
            client.awaitEvents(channel, 1, WITHIN);
            assertThat(client.violations()).isEmpty();
        }
    }

    @ParameterizedTest(name = "{0} -> {1}")
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
            this is not JSON                                                | bad_request
            ["op","ping"]                                                   | bad_request
            {"op":"subscribe","id":1,"channel":"chat:x"                     | bad_request
            {"op":"teleport","id":7}                                        | bad_request
            {"id":7}                                                        | bad_request
            {"op":"subscribe","id":7}                                       | bad_request
            {"op":"subscribe","id":7,"channel":5}                           | bad_request
            {"op":"subscribe","id":7,"channel":"with blank"}                | channel_invalid
            {"op":"subscribe","id":7,"channel":""}                          | channel_invalid
            {"op":"subscribe","id":7,"channel":"undeclared:x"}              | unknown_namespace
            {"op":"publish","id":7,"channel":"undeclared:x","data":1}       | unknown_namespace
            {"op":"publish","id":7,"channel":"chat:x"}                      | bad_request
            {"op":"subscribe","id":7,"channel":"chat:x","after":"rubbish"}  | cursor_invalid
            {"op":"subscribe","id":7,"channel":"chat:x","last":-1}          | bad_request
            {"op":"subscribe","id":7,"channel":"chat:x","last":1001}        | limit_exceeded
            {"op":"unsubscribe","id":7,"channel":"chat:never"}              | not_subscribed
            {"op":"presence","id":7,"channel":"demo:x"}                     | forbidden
            """)
    @DisplayName("a wrong frame is answered with an error that names it, and the connection stays")
    void wrongFrames(String frame, String code) throws IOException {
        // given
        try (RawWebSocket client = RawWebSocket.to(gateway.port())) {
            // when
            client.text(frame);
            // then
            JsonNode error = client.json();
            assertThat(error.path("op").asString()).as("%s", error).isEqualTo("error");
            assertThat(error.path("code").asString()).as("%s", error).isEqualTo(code);
            assertThat(error.path("message").asString()).isNotBlank();
            if (frame.contains("\"id\":7")) {
                assertThat(error.path("id").asInt()).isEqualTo(7);
            }
            assertAlive(client);
        }
    }

    private static void assertAlive(RawWebSocket client) throws IOException {
        client.text("{\"op\":\"ping\",\"id\":\"alive\"}");
        JsonNode pong = client.json();
        assertThat(pong.path("op").asString()).as("%s", pong).isEqualTo("pong");
        assertThat(pong.path("id").asString()).isEqualTo("alive");
    }

    @Test
    @DisplayName("a channel of 256 bytes is channel_invalid, one of 255 is served")
    void longChannel() throws IOException {
        String most = "chat:" + "x".repeat(MAX_CHANNEL_BYTES - 5);
        try (RawWebSocket client = RawWebSocket.to(gateway.port())) {
            // when
            client.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"" + most + "x\"}");
            client.text("{\"op\":\"subscribe\",\"id\":2,\"channel\":\"" + most + "\"}");
            // then
            assertThat(client.json().path("code").asString()).isEqualTo("channel_invalid");
            assertThat(client.json().path("op").asString()).isEqualTo("subscribed");
            assertAlive(client);
        }
    }

    @Test
    @DisplayName("a frame of 2 MiB closes with 1009")
    void largeFrame() throws IOException {
        byte[] large = ("{\"op\":\"publish\",\"channel\":\"chat:x\",\"data\":\"" + "x".repeat(2 << 20) + "\"}")
                .getBytes(StandardCharsets.US_ASCII);
        CompletableFuture<Void> sending;
        try (RawWebSocket client = RawWebSocket.to(gateway.port())) {
            // when: the gateway may hang up before it has taken all of it
            sending = CompletableFuture.runAsync(
                    () -> {
                        try {
                            client.send(RawWebSocket.TEXT, large, true);
                        } catch (IOException hungUp) {
                            // the close frame is what counts
                        }
                    },
                    ON_A_THREAD);
            // then
            assertThat(client.closeCode()).isEqualTo(1009);
        }
        sending.join();
    }

    @Test
    @DisplayName("text that is not UTF-8, a binary frame, and an unmasked frame close with 4100")
    void brokenFrames() throws IOException {
        byte[] notUtf8 = {'{', '"', (byte) 0xc3, (byte) 0x28, '"', '}'};
        byte[] ping = "{\"op\":\"ping\"}".getBytes(StandardCharsets.US_ASCII);
        try (RawWebSocket text = RawWebSocket.to(gateway.port());
                RawWebSocket binary = RawWebSocket.to(gateway.port());
                RawWebSocket unmasked = RawWebSocket.to(gateway.port())) {
            // when
            text.send(RawWebSocket.TEXT, notUtf8, true);
            binary.send(RawWebSocket.BINARY, ping, true);
            unmasked.send(RawWebSocket.TEXT, ping, false);
            // then
            assertThat(text.closeCode()).isEqualTo(4100);
            assertThat(binary.closeCode()).isEqualTo(4100);
            assertThat(unmasked.closeCode()).isEqualTo(4100);
        }
    }

    @Test
    @DisplayName(
            "100,000 subscribes on one connection: a thousand are served, the rest is limit_exceeded, the connection stays")
    void flood() throws IOException {
        // given
        String prefix = Backends.unique("chat:flood");
        try (RawWebSocket client = RawWebSocket.to(gateway.port())) {
            // when
            CompletableFuture<Void> sending = CompletableFuture.runAsync(
                    () -> {
                        try {
                            client.texts(() -> IntStream.range(0, FLOOD)
                                    .mapToObj(i -> "{\"op\":\"subscribe\",\"id\":" + i + ",\"channel\":\"" + prefix
                                            + "." + i + "\"}")
                                    .iterator());
                        } catch (IOException e) {
                            throw new AssertionError("the gateway hung up", e);
                        }
                    },
                    ON_A_THREAD);
            // then
            int subscribed = 0;
            for (int i = 0; i < FLOOD; i++) {
                JsonNode answer = client.json();
                while (answer.path("op").asString("").equals("position")) {
                    answer = client.json();
                }
                assertThat(answer.path("id").asInt(-1)).isEqualTo(i);
                if (answer.path("op").asString("").equals("subscribed")) {
                    subscribed++;
                } else {
                    assertThat(answer.path("code").asString(""))
                            .as("%s", answer)
                            .isEqualTo("limit_exceeded");
                }
            }
            sending.join();
            assertThat(subscribed).isEqualTo(SUBSCRIPTIONS);
            assertAlive(client);
        }
    }

    @Test
    @DisplayName(
            "a cursor of another topic is a gap 'epoch' and then all there is; of another partition or of the future it is cursor_invalid")
    void cursors() {
        String channel = Backends.unique("chat:cursors");
        String cursor = services.publisher().stored(channel, "{\"n\":0}").cursor();
        Position at = Position.of(cursor);
        try (TidegateClient client = TidegateClient.at(gateway.url()).connect();
                TidegateClient foreign = TidegateClient.at(gateway.url()).connect()) {
            // when
            Position otherPartition = new Position(at.epoch(), (at.partition() + 1) % Services.PARTITIONS, 0);
            Position future = new Position(at.epoch(), at.partition(), at.offset() + 1_000_000);
            // then
            assertThat(refusal(client.subscribeAfter(channel, otherPartition.toString())))
                    .isEqualTo("cursor_invalid");
            assertThat(refusal(client.subscribeAfter(channel, future.toString())))
                    .isEqualTo("cursor_invalid");
            // and the connection serves the same channel with a good one
            answer(client.subscribeAfter(
                    channel, new Position(at.epoch(), at.partition(), at.offset() - 1).toString()));
            client.awaitEvents(channel, 1, WITHIN);
            assertThat(client.violations()).isEmpty();

            // when
            String other = new Position("AAAAAAAA", at.partition(), 17).toString();
            JsonNode subscribed = answer(foreign.subscribeAfter(channel, other));
            // then
            assertThat(subscribed.path("recovery").asString()).isIn("gap", "pending"); // when it takes longer than 2 s
            foreign.awaitEvents(channel, 1, WITHIN);
            assertThat(foreign.events(channel)).extracting(ReceivedEvent::data).containsExactly("{\"n\":0}");
            assertThat(foreign.gaps(channel)).extracting(ReceivedGap::reason).containsExactly("epoch");
            services.publisher().stored(channel, "{\"n\":1}");
            foreign.awaitEvents(channel, 2, WITHIN);
            assertThat(foreign.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName("a handshake that asks for what cannot be is refused with problem details")
    void handshakes() {
        String tooLong = "x".repeat(MAX_CHANNEL_BYTES + 1);
        assertRefused("/v1/sse?channel=undeclared:x", 404, "unknown_namespace");
        assertRefused("/v1/sse?channel=" + tooLong, 400, "channel_invalid");
        assertRefused("/v1/sse?channel=" + URLEncoder.encode("schön", StandardCharsets.UTF_8), 400, "channel_invalid");
        assertRefused("/v1/sse?channel=chat:x&after=rubbish", 400, "cursor_invalid");
        assertRefused("/v1/sse", 400, "bad_request");
        assertRefused("/v1/ws?channel=chat:x", 426, "bad_request");
    }

    private void assertRefused(String path, int status, String code) {
        Publisher.Answer answer = Publisher.get(gateway.url() + path);
        assertThat(answer.status()).as("%s: %s", path, answer).isEqualTo(status);
        assertThat(answer.header("content-type")).startsWith("application/problem+json");
        assertThat(answer.code()).isEqualTo(code);
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** What publishers send wrong: refused with the field and what was expected, and nothing of it reaches a subscriber. */
@Timeout(360)
class BadPublishesTest {

    private static final byte[] NOT_UTF8 = {'a', (byte) 0xff, 'b'};

    private final Services services = Services.quiet();
    private final Publisher publisher = services.publisher();

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static void assertRefused(Publisher.Answer answer, int status, String code) {
        assertThat(answer.status()).as("%s", answer).isEqualTo(status);
        assertThat(answer.header("content-type")).startsWith("application/problem+json");
        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.body().path("detail").asString("")).isNotBlank();
    }

    @Test
    @DisplayName(
            "a body that is not what its Content-Type says, too large, or a form is refused; the next good event arrives alone")
    void bodies() {
        String channel = Backends.unique("chat:bodies");
        try (TidegateClient client = TidegateClient.at(services.gateway().url()).connect()) {
            answer(client.subscribe(channel));
            // when, then
            assertRefused(publisher.publish(channel, "{\"n\":1"), 400, "bad_request");
            assertRefused(publisher.publish(channel, ""), 400, "bad_request");
            assertRefused(publisher.publish(channel, "application/json", NOT_UTF8), 400, "bad_request");
            assertRefused(publisher.publish(channel, "application/vnd.x+json", bytes("nope")), 400, "bad_request");
            assertRefused(publisher.publish(channel, "text/plain", NOT_UTF8), 400, "bad_request");
            assertRefused(publisher.publish(channel, "nonsense", bytes("{}")), 415, "bad_request");
            assertRefused(
                    publisher.publish(channel, "application/x-www-form-urlencoded", bytes("a=b")), 415, "bad_request");
            assertRefused(publisher.publish(channel, "\"" + "x".repeat(65_535) + "\""), 413, "too_large");
            assertRefused(publisher.publish(channel, "1", "Tidegate-Event-Id", "x".repeat(256)), 400, "bad_request");
            // and
            publisher.stored(channel, "{\"good\":true}");
            client.awaitEvents(channel, 1, WITHIN);
            assertThat(client.events(channel)).extracting(ReceivedEvent::data).containsExactly("{\"good\":true}");
            assertThat(client.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName("channels that cannot be, undeclared namespaces, other methods and other paths are refused")
    void places() {
        assertRefused(publisher.publish("chat:" + "x".repeat(251), "1"), 400, "channel_invalid");
        assertRefused(publisher.publish("chat:schön", "1"), 400, "channel_invalid");
        assertRefused(publisher.publish("undeclared:x", "1"), 404, "unknown_namespace");
        Publisher.Answer get = Publisher.get(services.ingest().url() + "/v1/channels/chat/events");
        assertRefused(get, 405, "bad_request");
        assertRefused(publisher.post("/v1/nothing", "application/json", bytes("1")), 404, "bad_request");
    }

    @Test
    @DisplayName("of a batch of ten with three bad items seven are stored and three say why, in the order of the items")
    void batch() {
        String channel = Backends.unique("chat:batch");
        try (TidegateClient client = TidegateClient.at(services.gateway().url()).connect()) {
            answer(client.subscribe(channel));
            StringBuilder items = new StringBuilder("[");
            for (int i = 0; i < 10; i++) {
                items.append(i == 0 ? "" : ",")
                        .append(
                                switch (i) {
                                    case 2 -> "{\"channel\":\"undeclared:x\",\"data\":2}";
                                    case 5 -> "{\"channel\":\"" + channel + "\"}";
                                    case 8 -> "\"eight\"";
                                    default -> "{\"channel\":\"" + channel + "\",\"data\":" + i + "}";
                                });
            }
            // when
            Publisher.Answer answer = publisher.post("/v1/events", "application/json", bytes(items + "]"));
            // then
            assertThat(answer.status()).as("%s", answer).isEqualTo(200);
            assertThat(answer.body().size()).isEqualTo(10);
            List<String> codes = List.of("unknown_namespace", "bad_request", "bad_request");
            int bad = 0;
            for (int i = 0; i < 10; i++) {
                JsonNode result = answer.body().get(i);
                if (i == 2 || i == 5 || i == 8) {
                    assertThat(result.path("status").asString()).isEqualTo("failed");
                    assertThat(result.path("code").asString()).isEqualTo(codes.get(bad++));
                    assertThat(result.path("message").asString()).isNotBlank();
                } else {
                    assertThat(result.path("status").asString()).isEqualTo("stored");
                    assertThat(result.path("cursor").asString()).isNotBlank();
                }
            }
            client.awaitEvents(channel, 7, WITHIN);
            assertThat(client.events(channel))
                    .extracting(ReceivedEvent::data)
                    .containsExactly("0", "1", "3", "4", "6", "7", "9");
            assertThat(client.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName("a batch that is no array is refused whole; a broken line of NDJSON is one bad item")
    void brokenBatches() {
        String channel = Backends.unique("chat:lines");
        assertRefused(publisher.post("/v1/events", "application/json", bytes("[{\"channel\":")), 400, "bad_request");
        assertRefused(publisher.post("/v1/events", "application/json", bytes("{}")), 400, "bad_request");
        assertRefused(publisher.post("/v1/events", "text/plain", bytes("[]")), 415, "bad_request");
        // when
        String good = "{\"channel\":\"" + channel + "\",\"data\":1}";
        Publisher.Answer answer =
                publisher.post("/v1/events", "application/x-ndjson", bytes(good + "\n{broken\n" + good + "\n"));
        // then
        assertThat(answer.status()).as("%s", answer).isEqualTo(200);
        assertThat(answer.body().valueStream().map(r -> r.path("status").asString("")))
                .containsExactly("stored", "failed", "stored");
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static dev.tidegate.it.Answers.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The {@code publish} frame: through the gateway and ingest into the log, as safe as over HTTP. */
@Timeout(360)
class PublishOverWebSocketTest {

    private final Services services = Services.quiet();

    private TidegateClient connect() {
        return TidegateClient.at(services.gateway().url()).connect();
    }

    private static ObjectNode publish(String channel, String event, String json) {
        ObjectNode frame = TidegateClient.frame("publish")
                .put("channel", channel)
                .put("event", event)
                .put("type", "note");
        frame.set("data", Publisher.JSON.readTree(json));
        return frame;
    }

    @Test
    @DisplayName("stored with its cursor, delivered to subscribers, the publisher among them, to all in the same order")
    void stored() {
        String channel = Backends.unique("chat:publish");
        try (TidegateClient publisher = connect();
                TidegateClient subscriber = connect()) {
            answer(publisher.subscribe(channel));
            answer(subscriber.subscribe(channel));
            // when
            List<CompletableFuture<JsonNode>> asked = IntStream.range(0, 20)
                    .mapToObj(i -> publisher.publish(channel, "{\"n\":" + i + "}"))
                    .toList();
            List<JsonNode> answers = asked.stream().map(Answers::answer).toList();
            // then
            assertThat(answers)
                    .allSatisfy(a -> assertThat(a.path("status").asString()).isEqualTo("stored"));
            for (TidegateClient client : List.of(publisher, subscriber)) {
                client.awaitEvents(channel, 20, WITHIN);
                assertThat(client.violations()).isEmpty();
            }
            List<ReceivedEvent> events = subscriber.events(channel);
            assertThat(events)
                    .extracting(ReceivedEvent::id)
                    .containsExactlyInAnyOrderElementsOf(answers.stream()
                            .map(a -> a.path("event").asString())
                            .toList());
            assertThat(events)
                    .extracting(e -> e.cursor().toString())
                    .containsExactlyInAnyOrderElementsOf(answers.stream()
                            .map(a -> a.path("cursor").asString())
                            .toList());
            assertThat(publisher.events(channel))
                    .extracting(ReceivedEvent::id)
                    .isEqualTo(events.stream().map(ReceivedEvent::id).toList());
            assertThat(events)
                    .extracting(ReceivedEvent::data)
                    .containsExactlyInAnyOrderElementsOf(IntStream.range(0, 20)
                            .mapToObj(i -> "{\"n\":" + i + "}")
                            .toList());
        }
    }

    @Test
    @DisplayName(
            "published again with the same event id it is the same event: same answer, seen once; another payload is refused")
    void idempotent() {
        String channel = Backends.unique("chat:idempotent");
        try (TidegateClient publisher = connect();
                TidegateClient other = connect();
                TidegateClient subscriber = connect()) {
            answer(subscriber.subscribe(channel));
            // when
            JsonNode first = answer(publisher.ask(publish(channel, "n-1", "{\"n\":1}")));
            JsonNode again = answer(publisher.ask(publish(channel, "n-1", "{\"n\":1}")));
            JsonNode elsewhere = answer(other.ask(publish(channel, "n-1", "{\"n\":1}")));
            String reused = refusal(publisher.ask(publish(channel, "n-1", "{\"n\":2}")));
            answer(publisher.ask(publish(channel, "n-2", "{\"n\":3}")));
            // then
            assertThat(first.path("event").asString()).isEqualTo("n-1");
            assertThat(again.path("cursor").asString())
                    .isEqualTo(first.path("cursor").asString());
            assertThat(elsewhere.path("cursor").asString())
                    .isEqualTo(first.path("cursor").asString());
            assertThat(reused).isEqualTo("bad_request");
            subscriber.awaitEvents(channel, 2, WITHIN);
            assertThat(subscriber.events(channel)).extracting(ReceivedEvent::id).containsExactly("n-1", "n-2");
            assertThat(subscriber.events(channel))
                    .extracting(ReceivedEvent::type)
                    .containsOnly("note");
            assertThat(subscriber.repeats()).isZero();
            assertThat(subscriber.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName(
            "over HTTP a repeated Idempotency-Key is answered 200 with the first answer, another request with it 422")
    void idempotencyKey() {
        String channel = Backends.unique("chat:key");
        Publisher publisher = services.publisher();
        String key = Backends.unique("key");
        // when
        Publisher.Answer first = publisher.publish(channel, "{\"n\":1}", "Idempotency-Key", key);
        Publisher.Answer again = publisher.publish(channel, "{\"n\":1}", "Idempotency-Key", key);
        Publisher.Answer other = publisher.publish(channel, "{\"n\":2}", "Idempotency-Key", key);
        // then
        assertThat(first.status()).as("%s", first).isEqualTo(201);
        assertThat(again.status()).as("%s", again).isEqualTo(200);
        assertThat(again.text()).isEqualTo(first.text());
        assertThat(again.header("Tidegate-Idempotency")).isEqualTo("shared");
        assertThat(other.status()).as("%s", other).isEqualTo(422);
        assertThat(services.topic().read().get(channel)).hasSize(1);
    }
}

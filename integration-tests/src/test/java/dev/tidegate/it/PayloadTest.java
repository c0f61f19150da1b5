package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Payloads of every kind come out as they went in, the same on every path. */
@Timeout(360)
class PayloadTest {

    private static final byte[] PNG = {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 1, 2, (byte) 0xff};
    private static final String TEXT = "one \"line\",\r\nthen another \\ – é 猫 \u0001 \u2028 \ud83c\udf0a";

    private final Services services = Services.quiet();

    /** What is published, and what subscribers must be told of it. */
    private record Sample(String contentType, byte[] body, String toldType, JsonNode data, String data64) {
        static Sample json(String contentType, String json) {
            JsonNode data = Publisher.JSON.readTree(json);
            return new Sample(contentType, json.getBytes(StandardCharsets.UTF_8), "", data, "");
        }

        static Sample text(String contentType, String text) {
            JsonNode data = Publisher.JSON.getNodeFactory().stringNode(text);
            return new Sample(contentType, text.getBytes(StandardCharsets.UTF_8), contentType, data, "");
        }

        static Sample binary(String contentType, byte[] body) {
            return new Sample(
                    contentType, body, contentType, null, Base64.getEncoder().encodeToString(body));
        }
    }

    private static final List<Sample> SAMPLES = List.of(
            Sample.json(
                    "application/json",
                    "{\"a\" : [1, 2.50, -0, 1e3],\n\t\"b\":null, \"c\":\"\\u00e9 猫 \\ud83c\\udf0a\"}"),
            Sample.json("application/json; charset=utf-8", "\"a string\""),
            Sample.json("application/json", "17"),
            Sample.text("text/plain", TEXT),
            Sample.text("text/csv; charset=utf-8", "a,b\n1,2\n"),
            Sample.binary("image/png", PNG),
            Sample.binary("application/octet-stream", new byte[] {0}));

    @Test
    @DisplayName("JSON, text and binary: live and replayed, over WebSocket, event stream and HTTP")
    void everyKindOnEveryPath() {
        String channel = Backends.unique("chat:payloads");
        String gateway = services.gateway().url();
        String sse = gateway + "/v1/sse?channel=" + channel;
        Told.Ears live = new Told.Ears();
        try (TidegateClient client = TidegateClient.at(gateway).listener(live).connect();
                SseStream stream = SseStream.open(sse)) {
            // given
            String start = answer(client.subscribe(channel)).path("cursor").asString();
            stream.awaitOpen();
            // when
            List<Publisher.Answer> answers = SAMPLES.stream()
                    .map(sample -> services.publisher()
                            .publish(channel, sample.contentType(), sample.body(), "Tidegate-Event-Type", "sample"))
                    .toList();
            // then: live
            assertThat(answers)
                    .allSatisfy(a -> assertThat(a.status()).as("%s", a).isEqualTo(201));
            client.awaitEvents(channel, SAMPLES.size(), WITHIN);
            List<Told> told = live.events();
            assertAsPublished(told, answers);
            assertThat(client.violations()).isEmpty();
            // over the event stream
            stream.awaitEvents(SAMPLES.size());
            assertThat(told(stream)).isEqualTo(told);
            assertThat(stream.events()).extracting(SseStream.Block::event).containsOnly("sample");
            // replayed over both
            Told.Ears replayed = new Told.Ears();
            try (TidegateClient back =
                            TidegateClient.at(gateway).listener(replayed).connect();
                    SseStream again = SseStream.open(sse + "&after=" + start)) {
                answer(back.subscribeAfter(channel, start));
                back.awaitEvents(channel, SAMPLES.size(), WITHIN);
                again.awaitEvents(SAMPLES.size());
                assertThat(replayed.events()).isEqualTo(told);
                assertThat(replayed.replayed()).isEqualTo(SAMPLES.size());
                assertThat(told(again)).isEqualTo(told);
                assertThat(back.violations()).isEmpty();
            }
            // and over HTTP, as a page and as lines
            String history = services.replay().url() + "/v1/channels/"
                    + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events?after=" + start;
            Publisher.Answer page = Publisher.get(history);
            assertThat(page.body().path("events").valueStream().map(Told::of)).isEqualTo(told);
            assertThat(lines(Publisher.get(history, "Accept", "application/x-ndjson")))
                    .isEqualTo(told);
            String request = "[{\"channel\":\"" + channel + "\",\"after\":\"" + start + "\",\"upTo\":\""
                    + answers.getLast().cursor() + "\",\"limit\":100}]";
            assertThat(lines(Publisher.send(
                            HttpRequest.newBuilder(URI.create(services.replay().url() + "/v1/replay"))
                                    .header("Content-Type", "application/json")
                                    .header("Authorization", "Bearer dev-service-token")
                                    .POST(HttpRequest.BodyPublishers.ofString(request))
                                    .build())))
                    .isEqualTo(told);
        }
    }

    private static void assertAsPublished(List<Told> told, List<Publisher.Answer> answers) {
        assertThat(told)
                .extracting(Told::id)
                .isEqualTo(answers.stream().map(Publisher.Answer::id).toList());
        assertThat(told)
                .extracting(Told::cursor)
                .isEqualTo(answers.stream().map(Publisher.Answer::cursor).toList());
        assertThat(told).extracting(Told::type).containsOnly("sample");
        IntStream.range(0, SAMPLES.size()).forEach(i -> {
            Sample sample = SAMPLES.get(i);
            Told event = told.get(i);
            assertThat(event.contentType()).as("content type of sample %s", i).isEqualTo(sample.toldType());
            assertThat(event.data())
                    .as("data of sample %s", i)
                    .isEqualTo(sample.data() == null ? "" : sample.data().toString());
            assertThat(event.data64()).as("data64 of sample %s", i).isEqualTo(sample.data64());
        });
    }

    private static List<Told> told(SseStream stream) {
        return stream.events().stream()
                .map(SseStream.Block::frame)
                .map(Told::of)
                .toList();
    }

    private static List<Told> lines(Publisher.Answer answer) {
        assertThat(answer.status()).as("%s", answer).isEqualTo(200);
        assertThat(answer.header("content-type")).startsWith("application/x-ndjson");
        Stream<JsonNode> frames = answer.text().lines().map(Publisher.JSON::readTree);
        return frames.filter(frame -> frame.path("op").asString("").equals("event"))
                .map(Told::of)
                .toList();
    }
}

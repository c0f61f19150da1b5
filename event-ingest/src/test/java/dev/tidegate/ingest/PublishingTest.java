package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.header;
import static dev.tidegate.ingest.IngestUnderTest.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.IngestUnderTest.Answer;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Epoch;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Utils;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/** The calls of the wire contract against real Kafka and Redis. */
@Timeout(360)
class PublishingTest {
    private static IngestUnderTest ingest;

    @BeforeAll
    static void start() {
        ingest = IngestUnderTest.start(Map.of());
    }

    @AfterAll
    static void stop() {
        ingest.close();
    }

    private static ConsumerRecord<byte[], byte[]> at(String cursor) {
        Cursor c = Cursor.parse(cursor);
        return ingest.records().stream()
                .filter(r -> r.partition() == c.partition() && r.offset() == c.offset())
                .findFirst()
                .orElseThrow();
    }

    @Test
    @DisplayName("An event is stored where its cursor says, as a CloudEvent that any reader understands")
    void stores() throws Exception {
        // when
        String trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        Answer answer = ingest.json(
                "/v1/channels/orders%3Aeu%2F42%23x/events",
                "{\"n\": 1}", "Tidegate-Event-Type", "order.created", "traceparent", trace);
        // then
        assertThat(answer.status()).isEqualTo(201);
        assertThat(answer.header("Content-Type")).isEqualTo("application/json");
        assertThat(answer.json("status")).isEqualTo("stored");
        assertThat(answer.header("Tidegate-Idempotency")).isNull();
        assertThat(UUID.fromString(answer.json("id")).version()).isEqualTo(7);
        ConsumerRecord<byte[], byte[]> record = at(answer.json("cursor"));
        assertThat(text(record.key())).isEqualTo("orders:eu/42#x");
        assertThat(text(record.value())).isEqualTo("{\"n\": 1}");
        assertThat(record.partition()).isEqualTo(Utils.toPositive(Utils.murmur2(record.key())) % 4);
        assertThat(header(record, "ce_specversion")).isEqualTo("1.0");
        assertThat(header(record, "ce_id")).isEqualTo(answer.json("id"));
        assertThat(header(record, "ce_type")).isEqualTo("order.created");
        assertThat(header(record, "ce_source")).isEqualTo("/tidegate/ingest");
        assertThat(header(record, "traceparent")).isEqualTo(trace);
        assertThat(header(record, "content-type")).isNull();
        assertThat(header(record, "ce_authid")).isNull();
        assertThat(Math.abs(System.currentTimeMillis() - record.timestamp())).isLessThan(60_000);
        try (Admin admin = IngestUnderTest.admin(ingest.kafka)) {
            Uuid id = admin.describeTopics(List.of(ingest.topic))
                    .allTopicNames()
                    .get()
                    .get(ingest.topic)
                    .topicId();
            assertThat(Cursor.parse(answer.json("cursor")).epoch())
                    .isEqualTo(Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits()));
        }
    }

    @Test
    @DisplayName("A payload need not be JSON; its type then travels with it")
    void otherPayloads() {
        byte[] binary = {0, (byte) 0xff, 1};
        Answer stored = ingest.post("/v1/channels/a/events", "image/png", binary, "Tidegate-Event-Id", "my-id");
        assertThat(stored.status()).isEqualTo(201);
        assertThat(stored.json("id")).isEqualTo("my-id");
        ConsumerRecord<byte[], byte[]> record = at(stored.json("cursor"));
        assertThat(record.value()).isEqualTo(binary);
        assertThat(header(record, "content-type")).isEqualTo("image/png");
        assertThat(header(record, "ce_id")).isEqualTo("my-id");
        assertThat(header(record, "ce_type")).isEqualTo("message");
        // and without any type it is JSON
        Answer untyped = ingest.post("/v1/channels/a/events", null, "[1]".getBytes(UTF_8));
        assertThat(untyped.status()).isEqualTo(201);
        assertThat(header(at(untyped.json("cursor")), "content-type")).isNull();
    }

    @Test
    @DisplayName("A service publishes anywhere, in the name of its client")
    void services() {
        Answer answer = ingest.publish(
                "user:joe", "1", "Authorization", "Bearer dev-service-token", "Tidegate-Subject", "J%C3%B6e");
        assertThat(answer.status()).isEqualTo(201);
        assertThat(header(at(answer.json("cursor")), "ce_authid")).isEqualTo("Jöe");
        assertThat(header(at(answer.json("cursor")), "ce_authtype")).isEqualTo("app_user");
        // and its client's name is worth nothing without it
        assertThat(ingest.publish("user:joe", "1", "Tidegate-Subject", "joe").status())
                .isEqualTo(401);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            nullValues = "-",
            value = {
                "/v1/channels/nope:a/events | application/json | 1 | 404 | unknown_namespace | channel: namespace 'nope'",
                "/v1/channels/user:a/events | application/json | 1 | 401 | unauthenticated | channel: a token is needed",
                "/v1/channels/a%20b/events | application/json | 1 | 400 | channel_invalid | channel: character U+0020",
                "/v1/channels/a;b/events | application/json | 1 | 400 | channel_invalid | channel: character ';'",
                "/v1/channels/a/events | application/json | {\"a\": | 400 | bad_request | body: not JSON at byte 5",
                "/v1/channels/a/events | - | x | 400 | bad_request | body: not JSON at byte 0",
                "/v1/channels/a/events | text | x | 415 | bad_request | Content-Type: not a media type",
                "/v1/channels/a/events | application/x-www-form-urlencoded | a=1 | 415 | bad_request | Content-Type: application/x-www-form-urlencoded",
                "/v1/channels/a/b/events | application/json | 1 | 404 | bad_request | path: there is nothing here",
                "/v1/channels/a | application/json | 1 | 404 | bad_request | path: there is nothing here",
                "/v2 | application/json | 1 | 404 | bad_request | path: there is nothing here",
                "/v1/events | text/csv | 1 | 415 | bad_request | Content-Type: text/csv",
                "/v1/events | application/json | {} | 400 | bad_request | body: {} (expected: a JSON array",
            })
    @DisplayName("What is wrong is answered with a problem that names the field")
    void problems(String path, String contentType, String body, int status, String code, String detail) {
        // when
        Answer answer = ingest.post(path, contentType, body.getBytes(UTF_8));
        // then
        assertThat(answer.status()).isEqualTo(status);
        assertThat(answer.header("Content-Type")).isEqualTo("application/problem+json");
        assertThat(answer.json().path("status").asInt()).isEqualTo(status);
        assertThat(answer.json("code")).isEqualTo(code);
        assertThat(answer.json("detail")).startsWith(detail);
        assertThat(answer.json("title")).isNotBlank();
    }

    @Test
    void theWrongMethodIsToldTheRightOne() {
        Answer answer = ingest.get("/v1/channels/a/events");
        assertThat(answer.status()).isEqualTo(405);
        assertThat(answer.header("Allow")).isEqualTo("POST");
        assertThat(answer.json("code")).isEqualTo("bad_request");
    }

    @Test
    void aWrongTokenIsToldWhatIsMissing() {
        Answer answer = ingest.publish("a", "1", "Authorization", "Bearer no-such-token");
        assertThat(answer.status()).isEqualTo(401);
        assertThat(answer.header("WWW-Authenticate")).isEqualTo("Bearer");
        assertThat(answer.json("code")).isEqualTo("unauthenticated");
    }

    @Test
    void limitsAreExact() {
        String largest = "\"" + "x".repeat(65_534) + "\"";
        assertThat(ingest.publish("a", largest).status()).isEqualTo(201);
        Answer answer = ingest.publish("a", largest + " ");
        assertThat(answer.status()).isEqualTo(413);
        assertThat(answer.json("code")).isEqualTo("too_large");
        // and a batch may hold several of them, up to its own
        String item = "{\"channel\":\"a\",\"data\":" + largest + "}";
        assertThat(ingest.json("/v1/events", "[" + item + "," + item + "]")
                        .json()
                        .path(1)
                        .path("status")
                        .asString())
                .isEqualTo("stored");
        assertThat(ingest.json("/v1/events", "[" + (item + ",").repeat(16) + item + "]")
                        .status())
                .isEqualTo(413);
        assertThat(ingest.json("/v1/events", "[" + "1,".repeat(1_000) + "1]").json("code"))
                .isEqualTo("too_large");
    }

    @Test
    @DisplayName("A batch has a result for each item, and three bad ones of ten do not harm the other seven")
    void batches() {
        // given
        StringBuilder items = new StringBuilder("[");
        for (int i = 0; i < 10; i++) {
            items.append(i == 0 ? "" : ",")
                    .append(
                            switch (i) {
                                case 2 -> "{\"channel\":\"nope:x\",\"data\":2}";
                                case 5 -> "{\"channel\":\"batch\"}";
                                case 7 -> "{\"channel\":\"user:x\",\"data\":7}";
                                case 8 ->
                                    "{\"channels\":[\"batch\",\"chat:batch\"],\"data\":8,\"id\":\"i8\",\"type\":\"t8\"}";
                                default -> "{\"channel\":\"batch\",\"data\":" + i + "}";
                            });
        }
        // when
        Answer answer = ingest.json("/v1/events", items + "]");
        // then
        assertThat(answer.status()).isEqualTo(200);
        JsonNode results = answer.json();
        assertThat(results.size()).isEqualTo(10);
        assertThat(results.valueStream().map(r -> r.path("status").asString()))
                .containsExactly(
                        "stored", "stored", "failed", "stored", "stored", "failed", "stored", "failed", "stored",
                        "stored");
        assertThat(results.valueStream().map(r -> r.path("code").asString("")))
                .containsExactly("", "", "unknown_namespace", "", "", "bad_request", "", "unauthenticated", "", "");
        assertThat(results.path(5).path("message").asString()).startsWith("data: missing");
        List<ConsumerRecord<byte[], byte[]>> stored = ingest.records().stream()
                .filter(r -> text(r.key()).equals("batch"))
                .toList();
        assertThat(stored.stream().map(r -> text(r.value()))).containsExactly("0", "1", "3", "4", "6", "8", "9");
        assertThat(stored.stream().map(r -> header(r, "ce_id")).skip(5).findFirst())
                .hasValue("i8");
        JsonNode several = results.path(8).path("results");
        assertThat(several.path(1).path("channel").asString()).isEqualTo("chat:batch");
        ConsumerRecord<byte[], byte[]> copy = at(several.path(1).path("cursor").asString());
        assertThat(text(copy.key())).isEqualTo("chat:batch");
        assertThat(header(copy, "ce_type")).isEqualTo("t8");
    }

    @Test
    void linesInAndOut() {
        // when
        String lines = "{\"channel\":\"lines\",\"data\":1}\n\n{bad\n{\"channel\":\"lines\",\"data\":2}\n";
        Answer answer = ingest.post(
                "/v1/events", "application/x-ndjson", lines.getBytes(UTF_8), "Accept", "application/x-ndjson");
        // then
        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.header("Content-Type")).isEqualTo("application/x-ndjson");
        List<String> results = answer.text().lines().toList();
        assertThat(results).hasSize(3);
        assertThat(results.get(0)).contains("\"status\":\"stored\"");
        assertThat(results.get(1)).contains("\"code\":\"bad_request\"").contains("item: not JSON at byte 1");
        assertThat(results.get(2)).contains("\"status\":\"stored\"");
    }

    @Test
    @DisplayName("Items of a channel are stored in their order, however many channels and batches there are")
    void orderWithinChannels() {
        // given 20 batches one after the other of 200 items for 10 channels
        Map<String, List<String>> sent = new HashMap<>();
        for (int b = 0; b < 20; b++) {
            StringBuilder lines = new StringBuilder();
            for (int i = 0; i < 200; i++) {
                String channel = "order:" + (i * 7 + b) % 10;
                channel = channel.replace("order:", "orders:seq-");
                String data = Integer.toString(b * 200 + i);
                lines.append("{\"channel\":\"")
                        .append(channel)
                        .append("\",\"data\":")
                        .append(data)
                        .append("}\n");
                sent.computeIfAbsent(channel, c -> new ArrayList<>()).add(data);
            }
            // when
            Answer answer = ingest.post(
                    "/v1/events", "application/x-ndjson", lines.toString().getBytes(UTF_8));
            assertThat(answer.text()).doesNotContain("failed");
        }
        // then
        Map<String, List<String>> stored = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
            stored.computeIfAbsent(text(r.key()), c -> new ArrayList<>()).add(text(r.value()));
        }
        assertThat(sent)
                .allSatisfy((channel, data) -> assertThat(stored.get(channel)).isEqualTo(data));
    }

    @Test
    @DisplayName("Requests at once all get their own cursor")
    void manyAtOnce() {
        // when
        List<CompletableFuture<Answer>> answers = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            answers.add(ingest.postLater(
                    "/v1/channels/chat:many" + i % 7 + "/events",
                    "application/json",
                    Integer.toString(i).getBytes(UTF_8)));
        }
        Map<String, String> sentTo = new HashMap<>();
        for (int i = 0; i < 300; i++) {
            Answer answer = answers.get(i).join();
            assertThat(answer.status()).isEqualTo(201);
            Cursor cursor = Cursor.parse(answer.json("cursor"));
            sentTo.put(cursor.partition() + "." + cursor.offset(), Integer.toString(i));
        }
        // then
        assertThat(sentTo).hasSize(300);
        Map<String, String> stored = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
            stored.put(r.partition() + "." + r.offset(), text(r.value()));
        }
        assertThat(stored).containsAllEntriesOf(sentTo);
    }

    @Test
    void operatorsSeeIt() {
        ingest.publish("a", "1");
        assertThat(ingest.get("/actuator/health/liveness").status()).isEqualTo(200);
        Answer readiness = ingest.get("/actuator/health/readiness");
        assertThat(readiness.status()).isEqualTo(200);
        assertThat(readiness.text()).contains("\"intake\"").contains("\"healthy\"");
        // Some are counted a moment after the answer, others every second.
        await().atMost(Duration.ofSeconds(60))
                .untilAsserted(
                        () -> assertThat(ingest.get("/actuator/prometheus").text())
                                .contains("tidegate_ingest_events_total{outcome=\"stored\"}")
                                .contains("tidegate_ingest_publish_seconds_count{outcome=\"stored\"}")
                                .contains("tidegate_ingest_kafka_up 1.0")
                                .contains("tidegate_ingest_kafka_state{state=\"healthy\"} 1.0")
                                .contains("tidegate_ingest_spool_depth 0.0")
                                .contains("tidegate_ingest_inflight_requests")
                                .contains("tidegate_ingest_idempotency_shared 1.0"));
    }
}

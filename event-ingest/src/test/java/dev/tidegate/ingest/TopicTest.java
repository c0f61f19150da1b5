package dev.tidegate.ingest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.backends.Ports;
import dev.tidegate.ingest.IngestUnderTest.Answer;
import dev.tidegate.ingest.publish.StartFailure;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Epoch;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Topics;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The life of the fan-out topic, and of Kafka, as publishers and operators see it. */
@Timeout(480)
class TopicTest {
    @TempDir
    Path temp;

    private static TopicDescription describe(Admin admin, String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private static String epoch(Admin admin, String topic) throws Exception {
        Uuid id = describe(admin, topic).topicId();
        return Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits());
    }

    @Test
    @DisplayName("A missing topic is made as configured")
    void made() throws Exception {
        // when
        try (IngestUnderTest ingest = IngestUnderTest.start(Map.of(
                        "tidegate.fanout.partitions",
                        5,
                        "tidegate.fanout.retention",
                        "7m",
                        "tidegate.fanout.topic-config.compression.type",
                        "lz4"));
                Admin admin = IngestUnderTest.admin(ingest.kafka)) {
            // then
            TopicDescription made = describe(admin, ingest.topic);
            assertThat(made.partitions())
                    .hasSize(5)
                    .allSatisfy(p -> assertThat(p.replicas()).hasSize(1));
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, ingest.topic);
            Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            assertThat(config.get("retention.ms").value()).isEqualTo("420000");
            assertThat(config.get("segment.ms").value()).isEqualTo("60000");
            assertThat(config.get("cleanup.policy").value()).isEqualTo("delete");
            assertThat(config.get("compression.type").value()).isEqualTo("lz4");
        }
    }

    @Test
    @DisplayName("A topic with fewer partitions than configured ends the start in one line; one with more does not")
    void partitions() throws Exception {
        // given
        String topic = Backends.unique("fanout");
        try (Admin admin = IngestUnderTest.admin(Backends.shared().kafka())) {
            Topics.create(admin, new NewTopic(topic, 3, (short) 1));
        }
        // then
        assertThatThrownBy(() -> IngestUnderTest.start(topic, Map.of("tidegate.fanout.partitions", 4)))
                .isInstanceOf(StartFailure.class)
                .hasMessage("tidegate.fanout.partitions: topic " + topic
                        + " has 3 (expected: at least 4; add partitions to the topic or configure fewer)");
        try (IngestUnderTest ingest = IngestUnderTest.start(topic, Map.of("tidegate.fanout.partitions", 2))) {
            assertThat(ingest.publish("a", "1").status()).isEqualTo(201);
        }
    }

    @Test
    @DisplayName(
            "The first event after the topic was recreated has a cursor of the new epoch, long before the next look")
    void recreated() throws Exception {
        // given
        Map<String, Object> settings = Map.of(
                "tidegate.ingest.publish.watch-interval",
                "60s",
                "tidegate.ingest.publish.delivery-timeout",
                "2s",
                "tidegate.ingest.spool.enabled",
                false);
        try (IngestUnderTest ingest = IngestUnderTest.start(settings);
                Admin admin = IngestUnderTest.admin(ingest.kafka)) {
            String first = epoch(admin, ingest.topic);
            assertThat(Cursor.parse(ingest.publish("a", "1").json("cursor")).epoch())
                    .isEqualTo(first);
            // when
            recreate(admin, ingest.topic);
            // then
            String second = epoch(admin, ingest.topic);
            assertThat(second).isNotEqualTo(first);
            Answer answer = firstStored(ingest, "never-before");
            assertThat(Cursor.parse(answer.json("cursor")).epoch()).isEqualTo(second);
            // and so has that of a channel that was used before
            assertThat(Cursor.parse(firstStored(ingest, "a").json("cursor")).epoch())
                    .isEqualTo(second);
        }
    }

    private static Answer firstStored(IngestUnderTest ingest, String channel) {
        Answer[] last = new Answer[1];
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            last[0] = ingest.publish(channel, "1");
            assertThat(last[0].status()).isIn(201, 503);
            return last[0].status() == 201;
        });
        return last[0];
    }

    private static void recreate(Admin admin, String topic) throws Exception {
        admin.deleteTopics(List.of(topic)).all().get();
        await().atMost(Duration.ofSeconds(60)).until(() -> {
            try {
                Topics.create(admin, new NewTopic(topic, 4, (short) 1));
                return true;
            } catch (ExecutionException stillGoing) {
                return false;
            }
        });
    }

    @Test
    @DisplayName(
            "Without a spool, a deleted topic is not made again: publishers are told to wait, and readiness says why")
    void deleted() throws Exception {
        // given
        Map<String, Object> settings = Map.of(
                "tidegate.ingest.publish.watch-interval",
                "200ms",
                "tidegate.ingest.publish.delivery-timeout",
                "1s",
                "tidegate.ingest.spool.enabled",
                false);
        try (IngestUnderTest ingest = IngestUnderTest.start(settings);
                Admin admin = IngestUnderTest.admin(ingest.kafka)) {
            // when
            admin.deleteTopics(List.of(ingest.topic)).all().get();
            // then
            await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
                Answer health = ingest.get("/actuator/health/readiness");
                assertThat(health.status()).isEqualTo(503);
                assertThat(health.text()).contains("MISSING");
            });
            Answer answer = ingest.publish("a", "1");
            assertThat(answer.status()).isEqualTo(503);
            assertThat(answer.json("code")).isEqualTo("unavailable");
            assertThat(ingest.get("/actuator/health/liveness").status()).isEqualTo(200);
            // and one with too few partitions is not good enough
            await().atMost(Duration.ofSeconds(60)).ignoreExceptions().until(() -> {
                admin.createTopics(List.of(new NewTopic(ingest.topic, 2, (short) 1)))
                        .all()
                        .get();
                return true;
            });
            await().atMost(Duration.ofSeconds(60))
                    .untilAsserted(() -> assertThat(
                                    ingest.get("/actuator/health/readiness").text())
                            .contains("TOO_FEW_PARTITIONS"));
        }
    }

    @Test
    @DisplayName(
            "Without Kafka and spool the service waits, says 503 and not ready; while Kafka is away it does so again")
    @SuppressWarnings("try") // its end is what the test is about
    void kafkaComesAndGoes() throws Exception {
        // given
        DataFolder data = DataFolder.open(temp);
        int kafkaPort = Ports.free();
        int port = Ports.free();
        Map<String, Object> settings = new HashMap<>(IngestUnderTest.properties("fanout"));
        settings.put("tidegate.kafka.bootstrap-servers", "127.0.0.1:" + kafkaPort);
        settings.put("tidegate.ingest.publish.watch-interval", "200ms");
        settings.put("tidegate.ingest.publish.delivery-timeout", "3s");
        settings.put("tidegate.ingest.spool.enabled", false);
        settings.put("server.port", port);
        // when
        CompletableFuture<IngestUnderTest> starting = CompletableFuture.supplyAsync(
                () -> IngestUnderTest.start("fanout", settings), Thread::startVirtualThread);
        // then
        await().atMost(Duration.ofSeconds(60))
                .ignoreExceptions()
                .until(() -> status(port, "GET", "/actuator/health/readiness") == 503);
        assertThat(status(port, "GET", "/actuator/health/liveness")).isEqualTo(200);
        assertThat(status(port, "POST", "/v1/channels/a/events")).isEqualTo(503);
        assertThat(starting).isNotDone();

        // when Kafka comes
        try (EmbeddedKafka kafka = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), kafkaPort, Map.of());
                IngestUnderTest ingest = starting.get()) {
            // then
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> ingest.get("/actuator/health/readiness").status() == 200);
            firstStored(ingest, "a");

            // when it goes
            kafka.close();
            Answer away = ingest.publish("a", "2", "Idempotency-Key", "k2");
            // then
            assertThat(away.status()).isEqualTo(503);
            assertThat(away.json("code")).isEqualTo("unavailable");
            assertThat(Integer.parseInt(away.header("Retry-After"))).isPositive();
            // Either it had been given to the producer when Kafka went, or the service knew before that it had gone.
            assertThat(away.json("detail")).containsAnyOf("it may have been stored", "cannot take events now");
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> ingest.get("/actuator/health/readiness").status() == 503);

            // when it is back
            try (EmbeddedKafka again = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), kafkaPort, Map.of())) {
                assertThat(again.port()).isEqualTo(kafkaPort);
                // then
                await().atMost(Duration.ofSeconds(60))
                        .until(() -> ingest.get("/actuator/health/readiness").status() == 200);
                // the producer may need longer than its delivery timeout to find its broker again; it says so
                Answer back = await().atMost(Duration.ofSeconds(60))
                        .until(
                                () -> ingest.publish("a", "2", "Idempotency-Key", "k2"),
                                answer -> answer.status() != 503);
                assertThat(back.status()).isEqualTo(201);
                List<String> ids = ingest.records().stream()
                        .filter(r -> IngestUnderTest.text(r.value()).equals("2"))
                        .map(r -> IngestUnderTest.header(r, "ce_id"))
                        .distinct()
                        .toList();
                assertThat(ids).containsExactly(back.json("id"));
            }
        }
    }

    private static int status(int port, String method, String path) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(60))
                .method(method, HttpRequest.BodyPublishers.ofString(method.equals("POST") ? "1" : ""))
                .build();
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
        }
    }
}

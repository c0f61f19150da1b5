package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedRedis;
import dev.tidegate.ingest.IngestUnderTest.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Idempotency keys on two instances that share a Redis, which falls ill. */
@Timeout(480)
class IdempotencyTest {
    /** So that a slow moment of this machine does not count as an outage of Redis. */
    private static final Map<String, Object> PATIENT = Map.of(
            "tidegate.ingest.idempotency.redis-timeout", "10s", "tidegate.ingest.idempotency.in-flight-wait", "30s");

    @TempDir
    Path temp;

    private static long storedIn(IngestUnderTest ingest, String channel) {
        return ingest.records().stream()
                .filter(r -> text(r.key()).equals(channel))
                .count();
    }

    private static String[] key(String key) {
        return new String[] {"Idempotency-Key", key};
    }

    @Test
    @DisplayName("A repeat is answered as the first was, on either instance; another request with its key is not")
    void repeats() {
        try (IngestUnderTest a = IngestUnderTest.start(PATIENT);
                IngestUnderTest b = IngestUnderTest.start(a.topic, PATIENT)) {
            // given
            await().atMost(Duration.ofSeconds(60)).until(() -> shared(a) && shared(b));
            // when
            Answer first = a.publish("k", "{\"n\":1}", key("k1"));
            Answer here = a.publish("k", "{\"n\":1}", key("\"k1\""));
            Answer there = b.publish("k", "{\"n\":1}", key("k1"));
            // then
            assertThat(first.status()).isEqualTo(201);
            assertThat(first.header("Tidegate-Idempotency")).isEqualTo("shared");
            assertThat(UUID.fromString(first.json("id")).version()).isEqualTo(8);
            assertThat(List.of(here, there)).allSatisfy(repeat -> {
                assertThat(repeat.status()).isEqualTo(200);
                assertThat(repeat.text()).isEqualTo(first.text());
                assertThat(repeat.header("Tidegate-Idempotency")).isEqualTo("shared");
            });
            assertThat(storedIn(a, "k")).isEqualTo(1);
            // and
            for (IngestUnderTest instance : List.of(a, b)) {
                Answer other = instance.publish("k", "{\"n\":2}", key("k1"));
                assertThat(other.status()).isEqualTo(422);
                assertThat(other.json("code")).isEqualTo("bad_request");
                assertThat(other.json("detail")).startsWith("Idempotency-Key: used before");
                Answer otherType =
                        instance.publish("k", "{\"n\":1}", "Idempotency-Key", "k1", "Tidegate-Event-Type", "t");
                assertThat(otherType.status()).isEqualTo(422);
            }
            assertThat(b.publish("k2", "{\"n\":2}", key("k1")).status()).isEqualTo(201);
        }
    }

    @Test
    @DisplayName("Of many requests with one key at once, on both instances, one is stored and all get its answer")
    void atOnce() {
        try (IngestUnderTest a = IngestUnderTest.start(PATIENT);
                IngestUnderTest b = IngestUnderTest.start(a.topic, PATIENT)) {
            await().atMost(Duration.ofSeconds(60)).until(() -> shared(a) && shared(b));
            for (int round = 0; round < 10; round++) {
                // when
                List<CompletableFuture<Answer>> answers = new ArrayList<>();
                for (int i = 0; i < 10; i++) {
                    answers.add((i % 2 == 0 ? a : b)
                            .postLater(
                                    "/v1/channels/k/events",
                                    "application/json",
                                    "1".getBytes(UTF_8),
                                    key("round-" + round)));
                }
                // then
                List<Answer> all = answers.stream().map(CompletableFuture::join).toList();
                assertThat(all.stream().map(Answer::status).sorted().toList())
                        .containsExactly(200, 200, 200, 200, 200, 200, 200, 200, 200, 201);
                assertThat(all.stream().map(Answer::text).distinct()).hasSize(1);
            }
            assertThat(storedIn(a, "k")).isEqualTo(10);
        }
    }

    @Test
    @DisplayName("A repeated batch publishes what failed and answers the rest as the first time")
    void batches() {
        try (IngestUnderTest ingest = IngestUnderTest.start(Map.of())) {
            String batch = "[{\"channel\":\"b\",\"data\":1},{\"channel\":\"nope:b\",\"data\":2},"
                    + "{\"channels\":[\"b\",\"c\"],\"data\":3}]";
            Answer first = ingest.json("/v1/events", batch, key("b1"));
            Answer again = ingest.json("/v1/events", batch, key("b1"));
            Answer more =
                    ingest.json("/v1/events", batch.replace("]}]", "]},{\"channel\":\"b\",\"data\":4}]"), key("b1"));
            assertThat(first.text()).contains("\"stored\"").contains("unknown_namespace");
            assertThat(again.text()).isEqualTo(first.text());
            assertThat(storedIn(ingest, "b")).isEqualTo(2);
            assertThat(more.status()).isEqualTo(200);
        }
    }

    @Test
    @DisplayName("A Redis that hangs or is gone delays no publish, and one that comes back is used again")
    @SuppressWarnings("try") // its end is what the test is about
    void redisIsIll() throws Exception {
        DataFolder data = DataFolder.open(temp);
        try (EmbeddedRedis redis = EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of());
                IngestUnderTest ingest = IngestUnderTest.start(Map.of(
                        "tidegate.redis.url",
                        "redis://127.0.0.1:" + redis.port(),
                        "tidegate.ingest.idempotency.redis-timeout",
                        "300ms",
                        "tidegate.ingest.idempotency.redis-probe",
                        "200ms"))) {
            // given
            await().atMost(Duration.ofSeconds(60)).until(() -> shared(ingest));
            Answer before = ingest.publish("k", "1", key("before"));
            // when it hangs
            signal("STOP", redis.pid());
            Answer hanging = ingest.publish("k", "1", key("hanging"));
            // then
            assertThat(hanging.status()).isEqualTo(201);
            assertThat(hanging.header("Tidegate-Idempotency")).isEqualTo("local");
            assertThat(shared(ingest)).isFalse();
            // and what this instance knows it still knows
            Answer repeat = ingest.publish("k", "1", key("hanging"));
            assertThat(repeat.status()).isEqualTo(200);
            assertThat(repeat.text()).isEqualTo(hanging.text());
            assertThat(ingest.publish("k", "1", key("before")).text()).isEqualTo(before.text());
            assertThat(ingest.publish("k", "2", key("hanging")).status()).isEqualTo(422);
            // and nobody asks it any more
            String failures = redisFailures(ingest);
            for (int i = 0; i < 20; i++) {
                assertThat(ingest.publish("k", "1", key("quick-" + i)).header("Tidegate-Idempotency"))
                        .isEqualTo("local");
            }
            assertThat(redisFailures(ingest)).isEqualTo(failures);

            // when it goes on
            signal("CONT", redis.pid());
            // then
            await().atMost(Duration.ofSeconds(60)).until(() -> shared(ingest));
            awaitShared(ingest, "after");

            // when it dies and another takes its place
            redis.close();
            Answer dead = ingest.publish("k", "1", key("dead"));
            assertThat(dead.status()).isEqualTo(201);
            assertThat(dead.header("Tidegate-Idempotency")).isEqualTo("local");
            try (EmbeddedRedis again = EmbeddedRedis.start(data.claim(BackendKind.REDIS), redis.port(), Map.of())) {
                assertThat(again.port()).isEqualTo(redis.port());
                await().atMost(Duration.ofSeconds(60)).until(() -> shared(ingest));
                awaitShared(ingest, "revived");
            }
        }
    }

    /** With a time-out as short as this test needs, a slow answer may open the circuit once more. */
    private static void awaitShared(IngestUnderTest ingest, String key) {
        AtomicInteger n = new AtomicInteger();
        await().atMost(Duration.ofSeconds(60))
                .until(
                        () -> ingest.publish("k", "1", key(key + n.incrementAndGet()))
                                .header("Tidegate-Idempotency"),
                        "shared"::equals);
    }

    private static boolean shared(IngestUnderTest ingest) {
        return ingest.get("/actuator/prometheus").text().contains("tidegate_ingest_idempotency_shared 1.0");
    }

    private static String redisFailures(IngestUnderTest ingest) {
        return ingest.get("/actuator/prometheus")
                .text()
                .lines()
                .filter(l -> l.startsWith("tidegate_ingest_redis_failures_total "))
                .findFirst()
                .orElseThrow();
    }

    private static void signal(String signal, long pid) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + signal, Long.toString(pid)).start();
        assertThat(kill.waitFor()).isZero();
    }
}

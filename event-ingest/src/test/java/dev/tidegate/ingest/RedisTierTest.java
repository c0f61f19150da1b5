package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.text;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedRedis;
import dev.tidegate.ingest.IngestUnderTest.Answer;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.FallbackCopy;
import dev.tidegate.testsupport.Backends;
import io.lettuce.core.RedisClient;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Copies on Redis, and the events that go there only. */
@Timeout(480)
class RedisTierTest {
    /** So that a slow moment of this machine does not count as an outage of Redis. */
    private static final Map<String, Object> PATIENT = Map.of("tidegate.ingest.redis.timeout", "30s");

    @TempDir
    Path temp;

    private record Heard(String channel, FallbackCopy copy) {}

    /** Listens to all the Redis channels of a topic. */
    private static final class Listener implements AutoCloseable {
        final List<Heard> heard = new CopyOnWriteArrayList<>();
        private final RedisClient client;

        Listener(String url, String topic) {
            client = RedisClient.create(url);
            StatefulRedisPubSubConnection<byte[], byte[]> connection = client.connectPubSub(ByteArrayCodec.INSTANCE);
            connection.addListener(new RedisPubSubAdapter<>() {
                @Override
                public void message(byte[] pattern, byte[] channel, byte[] message) {
                    heard.add(new Heard(text(channel), FallbackCopy.decode(message)));
                }
            });
            connection.sync().psubscribe(("tidegate:" + topic + ":*").getBytes(UTF_8));
        }

        @Override
        public void close() {
            client.shutdown();
        }
    }

    private static void awaitRedis(IngestUnderTest ingest) {
        await().atMost(Duration.ofSeconds(60)).until(() -> ingest.metric("tidegate_ingest_redis_available") == 1);
    }

    @Test
    @DisplayName("Every event's copy says what its record says, on the Redis channel of its partition")
    void copies() {
        try (IngestUnderTest ingest = IngestUnderTest.start(PATIENT);
                Listener listener = new Listener(Backends.shared().redis(), ingest.topic)) {
            awaitRedis(ingest);
            // when
            Answer json =
                    ingest.publish("chat:a", "{\"n\":1}", "Tidegate-Event-Type", "said", "Tidegate-Event-Id", "e1");
            Answer bytes = ingest.post("/v1/channels/chat:b/events", "image/png", new byte[] {0, 1, (byte) 0xff});
            // then
            await().atMost(Duration.ofSeconds(60)).until(() -> listener.heard.size() == 2);
            for (Answer answer : List.of(json, bytes)) {
                assertThat(answer.status()).isEqualTo(201);
                Heard heard = listener.heard.stream()
                        .filter(h -> text(h.copy.id()).equals(answer.json("id")))
                        .findFirst()
                        .orElseThrow();
                Cursor cursor = Cursor.parse(answer.json("cursor"));
                ConsumerRecord<byte[], byte[]> record = ingest.records().stream()
                        .filter(r -> r.partition() == cursor.partition() && r.offset() == cursor.offset())
                        .findFirst()
                        .orElseThrow();
                FallbackCopy copy = heard.copy;
                assertThat(heard.channel).isEqualTo("tidegate:" + ingest.topic + ":" + cursor.partition());
                assertThat(copy.ephemeral()).isFalse();
                assertThat(copy.channel()).isEqualTo(record.key());
                assertThat(copy.payload()).isEqualTo(record.value());
                assertThat(copy.timeMillis()).isEqualTo(record.timestamp());
                assertThat(text(copy.id())).isEqualTo(IngestUnderTest.header(record, "ce_id"));
                assertThat(text(copy.type())).isEqualTo(IngestUnderTest.header(record, "ce_type"));
                assertThat(text(copy.source())).isEqualTo(IngestUnderTest.header(record, "ce_source"));
                String contentType = IngestUnderTest.header(record, "content-type");
                assertThat(copy.contentType() == null ? null : text(copy.contentType()))
                        .isEqualTo(contentType);
            }
        }
    }

    @Test
    @DisplayName("An ephemeral event goes to Redis and nowhere else; its repeat is answered and not sent")
    void ephemeral() {
        Map<String, Object> settings = new HashMap<>(PATIENT);
        settings.put("tidegate.ingest.redis.policy", "off");
        try (IngestUnderTest ingest = IngestUnderTest.start(settings);
                Listener listener = new Listener(Backends.shared().redis(), ingest.topic)) {
            awaitRedis(ingest);
            // when
            Answer first = ingest.publish("typing:a", "1", "Idempotency-Key", "k");
            Answer again = ingest.publish("typing:a", "1", "Idempotency-Key", "k");
            Answer durable = ingest.publish("chat:a", "2");
            Answer batch = ingest.json("/v1/events", "[{\"channels\":[\"typing:a\",\"chat:a\"],\"data\":3}]");
            // then
            assertThat(first.status()).isEqualTo(201);
            assertThat(first.text()).isEqualTo("{\"id\":\"" + first.json("id") + "\",\"status\":\"sent\"}");
            assertThat(again.status()).isEqualTo(200);
            assertThat(again.text()).isEqualTo(first.text());
            assertThat(durable.json("status")).isEqualTo("stored");
            assertThat(batch.json().get(0).path("status").asString()).isEqualTo("sent");
            await().atMost(Duration.ofSeconds(60)).until(() -> listener.heard.size() == 2);
            assertThat(listener.heard).allSatisfy(h -> {
                assertThat(h.copy.ephemeral()).isTrue();
                assertThat(text(h.copy.channel())).isEqualTo("typing:a");
            });
            assertThat(ingest.records()).extracting(r -> text(r.key())).containsExactly("chat:a", "chat:a");
            await().atMost(Duration.ofSeconds(60))
                    .untilAsserted(() -> assertThat(ingest.metric("tidegate_ingest_events_total{outcome=\"sent\"}"))
                            .isEqualTo(2));
        }
    }

    @Test
    @DisplayName("A Redis that hangs or dies costs copies, not publishes; ephemeral events are refused meanwhile")
    @SuppressWarnings("try") // its end is what the test is about
    void redisIsIll() throws Exception {
        DataFolder data = DataFolder.open(temp);
        try (EmbeddedRedis redis = EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of());
                IngestUnderTest ingest = IngestUnderTest.start(Map.of(
                        "tidegate.redis.url",
                        "redis://127.0.0.1:" + redis.port(),
                        "tidegate.ingest.redis.max-in-flight",
                        20,
                        "tidegate.ingest.redis.timeout",
                        "500ms",
                        "tidegate.ingest.redis.probe",
                        "200ms"))) {
            awaitRedis(ingest);
            // when it hangs
            signal("STOP", redis.pid());
            for (int i = 0; i < 40; i++) {
                assertThat(ingest.publish("chat:a", "1").status()).isEqualTo(201);
            }
            // then copies are dropped, at first for want of room, then because it is away
            await().atMost(Duration.ofSeconds(60)).until(() -> ingest.metric("tidegate_ingest_redis_available") == 0);
            Answer refused = ingest.publish("typing:a", "1");
            assertThat(refused.status()).isEqualTo(503);
            assertThat(refused.json("code")).isEqualTo("unavailable");
            assertThat(refused.header("Retry-After")).isNotNull();
            assertThat(ingest.publish("chat:a", "1").status()).isEqualTo(201);
            assertThat(copies(ingest, "full") + copies(ingest, "away")).isGreaterThanOrEqualTo(20);

            // when it goes on
            signal("CONT", redis.pid());
            // then
            await().atMost(Duration.ofSeconds(60))
                    .until(() -> ingest.publish("typing:a", "1").status() == 201);
            await().atMost(Duration.ofSeconds(60)).until(() -> ingest.metric("tidegate_ingest_redis_inflight") == 0);

            // when it dies
            redis.close();
            // then
            assertThat(ingest.publish("typing:a", "1").status()).isEqualTo(503);
            assertThat(ingest.publish("chat:a", "1").status()).isEqualTo(201);
            try (EmbeddedRedis again = EmbeddedRedis.start(data.claim(BackendKind.REDIS), redis.port(), Map.of());
                    Listener listener = new Listener("redis://127.0.0.1:" + again.port(), ingest.topic)) {
                // and when another takes its place, copies go there
                Set<String> ids = new HashSet<>();
                await().atMost(Duration.ofSeconds(60)).until(() -> {
                    ids.add(ingest.publish("chat:a", "1").json("id"));
                    return listener.heard.stream().anyMatch(h -> ids.contains(text(h.copy.id())));
                });
            }
        }
    }

    private static double copies(IngestUnderTest ingest, String outcome) {
        return ingest.metric("tidegate_ingest_redis_copies_total{outcome=\"" + outcome + "\"}");
    }

    private static void signal(String signal, long pid) throws IOException, InterruptedException {
        Process kill = new ProcessBuilder("kill", "-" + signal, Long.toString(pid)).start();
        assertThat(kill.waitFor()).isZero();
    }
}

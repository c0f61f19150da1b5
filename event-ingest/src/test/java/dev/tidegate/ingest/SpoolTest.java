package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.Ports;
import dev.tidegate.ingest.IngestUnderTest.Answer;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.KafkaCluster;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Outages of Kafka, as publishers see them and as the log looks afterwards; a broker and a PostgreSQL that are killed. */
@Timeout(600)
class SpoolTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    private static KafkaCluster kafka;
    private static ServiceProcess postgres;

    @BeforeAll
    static void start() {
        kafka = KafkaCluster.launch(1);
        postgres = ServiceProcess.of(Kind.POSTGRES).launch();
        kafka.awaitReady();
        postgres.awaitReady();
    }

    @BeforeEach
    void whole() {
        kafka.restore();
        if (!postgres.isAlive()) {
            postgres.start();
        }
    }

    @AfterAll
    static void stop() {
        kafka.close();
        postgres.close();
    }

    private static Map<String, Object> settings(String bootstrap) {
        Map<String, Object> all = new HashMap<>();
        all.put("tidegate.kafka.bootstrap-servers", bootstrap);
        all.put("tidegate.postgres.url", postgres.address().get("TIDEGATE_POSTGRES"));
        all.put("tidegate.ingest.publish.delivery-timeout", "3s");
        all.put("tidegate.ingest.publish.suspect-after", "200ms");
        all.put("tidegate.ingest.publish.watch-interval", "500ms");
        all.put("tidegate.ingest.spool.poll", "200ms");
        all.put("tidegate.ingest.spool.settle", "300ms");
        all.put("tidegate.rehome.enabled", false);
        return all;
    }

    private static void awaitState(IngestUnderTest ingest, String state) {
        await(state)
                .atMost(WITHIN)
                .until(() -> ingest.metric("tidegate_ingest_kafka_state{state=\"" + state + "\"}") == 1);
    }

    /** To Kafka, at once or after what a slow moment of this machine looks like to the service. */
    private static void awaitStored(OneAfterTheOther one, IngestUnderTest... instances) {
        for (IngestUnderTest instance : instances) {
            await("201").atMost(WITHIN).until(() -> {
                int status = one.publish(instance);
                assertThat(status).isIn(201, 202);
                return status == 201;
            });
        }
    }

    /** Until an event is answered so; meanwhile each may be answered in one other way. */
    private static void awaitStatus(OneAfterTheOther one, IngestUnderTest ingest, int wanted, int other) {
        await(Integer.toString(wanted)).atMost(WITHIN).until(() -> {
            int status = one.publish(ingest);
            assertThat(status).isIn(wanted, other);
            return status == wanted;
        });
    }

    private static void awaitEmpty(IngestUnderTest ingest) {
        await("an empty spool")
                .atMost(WITHIN)
                .until(() -> ingest.metric("tidegate_ingest_spool_depth") == 0
                        && ingest.metric("tidegate_ingest_kafka_state{state=\"healthy\"}") == 1);
    }

    /** Publishes one event after the other, each when the one before is answered, and remembers what was taken. */
    private static final class OneAfterTheOther {
        final String channel;
        final List<String> taken = new ArrayList<>(); // payloads
        final Set<Integer> statuses = new HashSet<>();
        private int next;

        OneAfterTheOther(String channel) {
            this.channel = channel;
        }

        int publish(IngestUnderTest to) {
            String payload = Integer.toString(next++);
            Answer answer = to.publish(channel, payload);
            if (answer.status() == 201 || answer.status() == 202) {
                taken.add(payload);
            }
            statuses.add(answer.status());
            return answer.status();
        }
    }

    /** A channel's payloads in the log, each where it stands first; repeats have the id of the first. */
    private static List<String> firsts(IngestUnderTest ingest, String channel) {
        Map<String, String> ids = new HashMap<>();
        Set<String> payloads = new LinkedHashSet<>();
        for (ConsumerRecord<byte[], byte[]> r : ingest.records()) {
            if (text(r.key()).equals(channel)) {
                String id = IngestUnderTest.header(r, "ce_id");
                String payload = text(r.value());
                assertThat(ids.merge(payload, id, (a, b) -> a))
                        .as("one id for one event")
                        .isEqualTo(id);
                payloads.add(payload);
            }
        }
        return List.copyOf(payloads);
    }

    /** A commit is answered when it is decided, a moment before readers see it. */
    private static void awaitLog(IngestUnderTest ingest, OneAfterTheOther one) {
        await("the log")
                .atMost(WITHIN)
                .untilAsserted(() -> assertThat(firsts(ingest, one.channel)).isEqualTo(one.taken));
    }

    private static double sum(String series, IngestUnderTest a, IngestUnderTest b) {
        return a.metric(series) + b.metric(series);
    }

    private static long count(IngestUnderTest ingest, String id) {
        return ingest.records().stream()
                .filter(r -> id.equals(IngestUnderTest.header(r, "ce_id")))
                .count();
    }

    @Test
    @DisplayName(
            "Kafka is killed under two instances: 202, in order, once each, keys answered as before; then 201 again")
    void kafkaKilled() {
        String topic = Backends.unique("fanout");
        try (IngestUnderTest a = IngestUnderTest.start(topic, settings(kafka.bootstrap()));
                IngestUnderTest b = IngestUnderTest.start(topic, settings(kafka.bootstrap()))) {
            // given
            OneAfterTheOther one = new OneAfterTheOther("chat:one");
            for (int i = 0; i < 5; i++) {
                awaitStored(one, a, b);
            }
            // when
            kafka.kill();
            // then each is taken, at the worst after the delivery timeout
            for (int i = 0; i < 10; i++) {
                assertThat(one.publish(i % 2 == 0 ? a : b)).isIn(201, 202);
            }
            awaitState(a, "spooling");
            awaitState(b, "spooling");
            for (int i = 0; i < 20; i++) {
                assertThat(one.publish(i % 2 == 0 ? a : b)).isEqualTo(202);
            }
            // and a key is answered as the first time, here and there, by the Redis that both share
            for (IngestUnderTest instance : List.of(a, b)) {
                await().atMost(WITHIN).until(() -> instance.metric("tidegate_ingest_idempotency_shared") == 1);
            }
            Answer first = a.publish("chat:keys", "{\"n\":1}", "Idempotency-Key", "k");
            assertThat(first.status()).isEqualTo(202);
            assertThat(first.text()).isEqualTo("{\"id\":\"" + first.json("id") + "\",\"status\":\"spooled\"}");
            for (IngestUnderTest instance : List.of(a, b)) {
                Answer again = instance.publish("chat:keys", "{\"n\":1}", "Idempotency-Key", "k");
                assertThat(again.status()).isEqualTo(200);
                assertThat(again.text()).isEqualTo(first.text());
            }
            // and so is a batch
            Answer batch = a.json(
                    "/v1/events", "[{\"channel\":\"chat:batch\",\"data\":1},{\"channel\":\"chat:batch\",\"data\":2}]");
            assertThat(batch.status()).isEqualTo(200);
            assertThat(batch.json().get(1).path("status").asString()).isEqualTo("spooled");
            // and both are ready, and say how
            for (IngestUnderTest instance : List.of(a, b)) {
                Answer health = instance.get("/actuator/health/readiness");
                assertThat(health.status()).isEqualTo(200);
                assertThat(health.text()).contains("\"spooling\"");
            }
            await().atMost(WITHIN)
                    .until(() -> a.metric("tidegate_ingest_spool_depth") >= 23
                            && a.metric("tidegate_ingest_spool_oldest_seconds") > 0);

            // when Kafka is back, with publishers going on
            kafka.start();
            long back = System.nanoTime();
            while (one.publish(a) != 201 || one.publish(b) != 201) {
                assertThat(one.statuses).isSubsetOf(201, 202);
            }
            awaitEmpty(a);
            awaitEmpty(b);
            System.out.printf(
                    "[spool] empty %d ms after the broker was ready, with a publisher going on%n",
                    (System.nanoTime() - back) / 1_000_000);
            for (int i = 0; i < 5; i++) {
                awaitStored(one, a, b);
            }
            // then
            awaitLog(a, one);
            await().atMost(WITHIN).untilAsserted(() -> {
                assertThat(firsts(a, "chat:batch")).containsExactly("1", "2");
                assertThat(count(a, first.json("id"))).isEqualTo(1);
            });
            assertThat(b.publish("chat:keys", "{\"n\":1}", "Idempotency-Key", "k")
                            .text())
                    .isEqualTo(first.text());
            assertThat(count(a, first.json("id"))).isEqualTo(1);
            // Awaited, since a row is counted a moment after it is gone.
            await().atMost(WITHIN).untilAsserted(() -> {
                double doubtful = sum("tidegate_ingest_spool_doubtful_total", a, b);
                assertThat((double) a.records().size())
                        .isBetween(one.taken.size() + 3.0, one.taken.size() + 3.0 + doubtful);
                assertThat(sum("tidegate_ingest_relay_events_total{table=\"spool\"}", a, b)
                                + sum("tidegate_ingest_relay_recovered_total{table=\"spool\"}", a, b))
                        .isEqualTo(sum("tidegate_ingest_spool_events_total", a, b));
            });
        }
    }

    @Test
    @DisplayName("Only one instance's way to Kafka is cut: the other relays, and does not pass the spool by")
    void oneInstanceIsCut() {
        String topic = Backends.unique("fanout");
        try (IngestUnderTest cut = IngestUnderTest.start(topic, settings(kafka.linkedBootstrap()));
                IngestUnderTest whole = IngestUnderTest.start(topic, settings(kafka.bootstrap()))) {
            OneAfterTheOther one = new OneAfterTheOther("chat:one");
            for (int i = 0; i < 5; i++) {
                awaitStored(one, cut, whole);
            }
            // when
            kafka.links().getFirst().cut(FaultyLink.Ending.RST);
            for (int i = 0; i < 200; i++) {
                assertThat(one.publish(i % 2 == 0 ? cut : whole)).isIn(201, 202);
            }
            // then it is all relayed by the other, although the first still spools
            awaitEmpty(whole);
            awaitState(cut, "spooling");
            awaitLog(whole, one);
            // when the way is whole again
            kafka.links().getFirst().pass();
            awaitEmpty(cut);
            for (int i = 0; i < 5; i++) {
                awaitStored(one, cut, whole);
            }
            awaitLog(whole, one);
        }
    }

    @Test
    @DisplayName("PostgreSQL away too: 503 and nothing half-accepted; ephemeral events go on")
    void postgresAwayAsWell() {
        String topic = Backends.unique("fanout");
        try (IngestUnderTest ingest = IngestUnderTest.start(topic, settings(kafka.bootstrap()))) {
            OneAfterTheOther one = new OneAfterTheOther("chat:one");
            // PostgreSQL alone is missed by nobody
            postgres.kill();
            for (int i = 0; i < 5; i++) {
                awaitStatus(one, ingest, 201, 503); // 503: Kafka was slow for once
            }
            // when Kafka goes as well
            kafka.kill();
            // then
            await().atMost(WITHIN).until(() -> one.publish(ingest) == 503);
            Answer refused = ingest.publish("chat:refused", "1");
            assertThat(refused.status()).isEqualTo(503);
            assertThat(refused.json("code")).isEqualTo("unavailable");
            assertThat(refused.header("Retry-After")).isNotNull();
            await().atMost(WITHIN)
                    .until(() -> ingest.get("/actuator/health/readiness").status() == 503);
            assertThat(ingest.publish("typing:a", "1").status()).isEqualTo(201);
            // when PostgreSQL is back
            postgres.start();
            // then events are taken
            await().atMost(WITHIN).until(() -> one.publish(ingest) == 202);
            await().atMost(WITHIN)
                    .until(() -> ingest.get("/actuator/health/readiness").status() == 200);
            // when Kafka is back, PostgreSQL goes once more, and comes back
            postgres.kill();
            kafka.start();
            postgres.start();
            awaitEmpty(ingest);
            awaitStored(one, ingest);
            // then all that was taken is there, in order, and what was refused without doubt is not
            await().atMost(WITHIN)
                    .untilAsserted(() -> assertThat(firsts(ingest, "chat:one")).containsSubsequence(one.taken));
            assertThat(firsts(ingest, "chat:refused")).isEmpty();
        }
    }

    @Test
    @DisplayName("Before Kafka was ever there events are kept; a full spool says so")
    void beforeKafka() throws Exception {
        String topic = Backends.unique("fanout");
        Map<String, Object> settings = settings(kafka.bootstrap());
        settings.put("tidegate.ingest.spool.max-rows", 5);
        settings.put("server.port", Ports.free());
        kafka.kill();
        CompletableFuture<IngestUnderTest> starting =
                CompletableFuture.supplyAsync(() -> IngestUnderTest.start(topic, settings), Thread::startVirtualThread);
        String url = "http://127.0.0.1:" + settings.get("server.port");
        // when
        List<Integer> statuses = new ArrayList<>();
        await().atMost(WITHIN).ignoreExceptions().until(() -> {
            statuses.add(IngestUnderTest.status(url + "/v1/channels/chat:a/events", "1"));
            // five, and what is inserted while they are counted
            return statuses.getLast() == 503
                    && statuses.stream().filter(s -> s == 202).count() >= 5;
        });
        // then
        int taken = (int) statuses.stream().filter(s -> s == 202).count();
        kafka.start();
        try (IngestUnderTest ingest = starting.get()) {
            awaitEmpty(ingest);
            assertThat(ingest.records())
                    .extracting(r -> IngestUnderTest.header(r, "ce_id"))
                    .hasSize(taken)
                    .doesNotHaveDuplicates();
            await().atMost(WITHIN).until(() -> ingest.publish("chat:a", "2").status() == 201);
        }
    }
}

package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import dev.tidegate.testsupport.Topics;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Whatever has to do with archiving is killed while it archives; in the end the archive alone must answer what the topic held. */
@Timeout(1200)
class ArchiveDrillTest {
    private static final Duration WITHIN = Duration.ofMinutes(2);
    private static final JsonMapper JSON = new JsonMapper();
    private static final int ROUNDS = 2;
    private static final int EVENTS = 1_000;

    private static final int CLIENTS = 60;
    private static final int CHANNELS = 15;

    /** Published between two blows. */
    private static final int MORE = 150;

    private final HttpClient http = HttpClient.newHttpClient();

    @Test
    @DisplayName("replay services killed while they archive: the archive equals the topic, record by record")
    void killedWhileArchiving() throws Exception {
        Map<String, String> backends = Backends.shared().environment();
        String name = Backends.unique("archived");
        String kafka = backends.get("TIDEGATE_KAFKA");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka));
                Topic topic = new Topic(kafka, name)) {
            Topics.create(admin, new NewTopic(name, Services.PARTITIONS, (short) 1));
            List<String> channels = new ArrayList<>();
            for (int p = 0; p < Services.PARTITIONS; p++) {
                channels.add(Topic.channelIn(p, "orders:drill-"));
            }
            try (ServiceProcess one = launch(backends, name);
                    ServiceProcess two = launch(backends, name)) {
                one.awaitReady();
                two.awaitReady();

                // when one or the other is killed in the middle of it
                for (int round = 0; round < ROUNDS; round++) {
                    double before = archived(one) + archived(two);
                    write(topic, channels, round);
                    await().atMost(WITHIN).until(() -> archived(one) + archived(two) > before);
                    ServiceProcess victim = round % 2 == 0 ? one : two;
                    victim.kill();
                    victim.start();
                }

                // then
                await().atMost(WITHIN).untilAsserted(() -> {
                    assertThat(metric(one, "archive_partitions") + metric(two, "archive_partitions"))
                            .isEqualTo(Services.PARTITIONS);
                    assertThat(metric(one, "archive_lag") + metric(two, "archive_lag"))
                            .isZero();
                });
                Map<String, List<ConsumerRecord<byte[], byte[]>>> truth = topic.read();

                // and when Kafka has none of it any more, and no memory has
                for (int p = 0; p < Services.PARTITIONS; p++) {
                    topic.deleteBefore(p, topic.nextOffset(p));
                }
                one.kill();
                one.start();
                assertArchived(one, truth, channels);
                assertThat(truth.values().stream().mapToInt(List::size).sum())
                        .isEqualTo(ROUNDS * EVENTS * channels.size());
            }
        }
    }

    @Test
    @DisplayName(
            "gateway, replay service and PostgreSQL killed in a storm: nobody misses an event, and the archive equals the topic, record by record")
    void killedDuringAStorm() {
        Map<String, String> backends = new LinkedHashMap<>(Backends.shared().environment());
        try (ServiceProcess postgres = ServiceProcess.of(Kind.POSTGRES).launch()) {
            postgres.awaitReady();
            backends.putAll(postgres.address());
            try (Services services = Services.on(backends, "stormy")
                    .gateways(2)
                    .each(process -> process.property("tidegate.namespaces.orders.archive", true)
                            .property("tidegate.replay.topic-check", "200ms")
                            .property("tidegate.replay.archive.linger", "20ms")
                            .property("tidegate.replay.archive.batch-events", 100)
                            .property("tidegate.replay.recent.bytes", "16MB"))
                    .start()) {
                String run = Backends.unique("storm");
                List<String> channels = IntStream.range(0, CHANNELS)
                        .mapToObj(i -> "orders:" + run + "." + i)
                        .toList();
                List<String> gateways =
                        List.of(services.gateway(0).url(), services.gateway(1).url());
                // given
                try (Crowd crowd = new Crowd(CLIENTS, channels, i -> Crowd.inTurn(i, gateways));
                        Traffic traffic = Traffic.on(services.publisher(), services.topic(), channels)) {
                    awaitMore(traffic);

                    // when half of all clients storm the other gateway, and PostgreSQL dies
                    services.gateway(0).kill();
                    postgres.kill();
                    awaitMore(traffic);
                    postgres.startOnly();
                    services.gateway(0).startOnly();
                    postgres.awaitReady();
                    services.gateway(0).awaitReady();

                    // and the others storm that one, the replay service that they need dies, and PostgreSQL again
                    services.gateway(1).kill();
                    services.replay().kill();
                    postgres.kill();
                    awaitMore(traffic);
                    postgres.startOnly();
                    services.replay().startOnly();
                    services.gateway(1).startOnly();
                    postgres.awaitReady();
                    services.awaitReady();
                    crowd.awaitWhole();
                    awaitMore(traffic);
                    traffic.stop();

                    // then
                    crowd.assertHas(Crowd.checkedLog(services.topic(), channels, traffic.acknowledged()));
                    await().atMost(WITHIN).untilAsserted(() -> {
                        assertThat(metric(services.replay(), "archive_partitions"))
                                .isEqualTo(Services.PARTITIONS);
                        assertThat(metric(services.replay(), "archive_lag")).isZero();
                    });
                    Map<String, List<ConsumerRecord<byte[], byte[]>>> truth =
                            services.topic().read();

                    // and when Kafka has none of it any more, and no memory has
                    for (int p = 0; p < Services.PARTITIONS; p++) {
                        services.topic().deleteBefore(p, services.topic().nextOffset(p));
                    }
                    services.replay().kill();
                    services.replay().start();
                    assertArchived(services.replay(), truth, channels);
                }
            }
        }
    }

    private static void awaitMore(Traffic traffic) {
        int before = traffic.acknowledged();
        await("more events").atMost(WITHIN).until(() -> traffic.acknowledged() >= before + MORE);
    }

    /** What is told of each channel is what the topic held: the same records, by offset, id and payload. */
    private void assertArchived(
            ServiceProcess replay, Map<String, List<ConsumerRecord<byte[], byte[]>>> truth, List<String> channels) {
        for (String channel : channels) {
            List<String> held =
                    truth.get(channel).stream().map(ArchiveDrillTest::record).toList();
            await().atMost(WITHIN)
                    .untilAsserted(() -> assertThat(history(replay, channel)).isEqualTo(held));
        }
    }

    private static String record(ConsumerRecord<byte[], byte[]> r) {
        Header id = r.headers().lastHeader("ce_id");
        return r.offset() + " " + (id == null ? "" : new String(id.value(), StandardCharsets.UTF_8)) + " "
                + new String(r.value(), StandardCharsets.UTF_8);
    }

    private static ServiceProcess launch(Map<String, String> backends, String topic) {
        return ServiceProcess.of(Kind.REPLAY)
                .environment(backends)
                .property("tidegate.fanout.topic", topic)
                .property("tidegate.namespaces.orders.archive", true)
                .property("tidegate.replay.topic-check", "200ms")
                .property("tidegate.replay.archive.linger", "20ms")
                .property("tidegate.replay.archive.batch-events", 100)
                .property("tidegate.replay.recent.bytes", "16MB")
                .launch();
    }

    private static void write(Topic topic, List<String> channels, int round) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int i = 0; i < EVENTS; i++) {
            for (String channel : channels) {
                byte[] value = ("{\"round\":" + round + ",\"n\":" + i + "}").getBytes(StandardCharsets.UTF_8);
                sent.add(topic.send(
                        new ProducerRecord<>(topic.name(), null, channel.getBytes(StandardCharsets.UTF_8), value)));
            }
        }
        for (Future<RecordMetadata> one : sent) {
            one.get();
        }
    }

    /** Every event of a channel, by offset, id (none where it is the cursor's text) and payload, as one stream over all pages. */
    private List<String> history(ServiceProcess replay, String channel) {
        String body = get(
                replay.url() + "/v1/channels/" + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events?from=0",
                "application/x-ndjson");
        return body.lines().map(JSON::readTree).map(ArchiveDrillTest::told).toList();
    }

    private static String told(JsonNode event) {
        String cursor = event.path("cursor").asString();
        String id = event.path("id").asString();
        return cursor.substring(cursor.lastIndexOf('.') + 1) + " " + (id.equals(cursor) ? "" : id) + " "
                + event.path("data");
    }

    private double archived(ServiceProcess replay) {
        return metric(replay, "archive_events_total");
    }

    private double metric(ServiceProcess replay, String name) {
        return get(replay.url() + "/actuator/prometheus", "text/plain")
                .lines()
                .filter(line -> line.startsWith("tidegate_replay_" + name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .sum();
    }

    private String get(String url, String accept) {
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                    .header("Accept", accept)
                    .build();
            HttpResponse<String> response = http.send(request, HttpResponse.BodyHandlers.ofString());
            assertThat(response.statusCode()).as("%s: %s", url, response.body()).isEqualTo(200);
            return response.body();
        } catch (IOException e) {
            throw new AssertionError(url, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }
}

package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Replay services that archive are killed while they do; nobody but PostgreSQL and Kafka is asked what was kept. */
@Timeout(300)
class ArchiveDrillTest {
    private static final Duration WITHIN = Duration.ofMinutes(2);
    private static final JsonMapper JSON = new JsonMapper();
    private static final int ROUNDS = 3;
    private static final int EVENTS = 1_000;

    private final HttpClient http = HttpClient.newHttpClient();

    @Test
    @DisplayName("replay services killed while they archive: the archive equals the topic, record by record")
    void killedWhileArchiving() throws Exception {
        Map<String, String> backends = Backends.shared().environment();
        String name = Backends.unique("archived");
        String kafka = backends.get("TIDEGATE_KAFKA");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka));
                Topic topic = new Topic(kafka, name)) {
            admin.createTopics(List.of(new NewTopic(name, Services.PARTITIONS, (short) 1)))
                    .all()
                    .get();
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
                for (String channel : channels) {
                    await().atMost(WITHIN)
                            .untilAsserted(() -> assertThat(history(one, channel))
                                    .isEqualTo(truth.get(channel).stream()
                                            .map(r -> r.offset() + " " + new String(r.value(), StandardCharsets.UTF_8))
                                            .toList()));
                }
                assertThat(truth.values().stream().mapToInt(List::size).sum())
                        .isEqualTo(ROUNDS * EVENTS * channels.size());
            }
        }
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

    /** Every event of a channel, by offset and payload, as one stream over all pages. */
    private List<String> history(ServiceProcess replay, String channel) {
        String body = get(
                replay.url() + "/v1/channels/" + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events?from=0",
                "application/x-ndjson");
        return body.lines()
                .map(JSON::readTree)
                .map(e -> e.path("cursor").asString().replaceFirst("^.*\\.", "") + " " + data(e))
                .toList();
    }

    private static String data(JsonNode event) {
        return event.path("data").toString();
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

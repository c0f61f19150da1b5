package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.channelIn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.ReplayStand.Answered;
import dev.tidegate.testsupport.Backends;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Kafka away and back, not there yet, and producers that use transactions. */
@Timeout(480)
class ReplayOutageTest {
    @Test
    void memoryIsServedWhileKafkaIsAwayAndTheTailGoesOnByItself(@TempDir Path folder) {
        DataFolder data = DataFolder.open(folder);
        EmbeddedKafka kafka = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), 0, Map.of());
        int port = kafka.port();
        try (ReplayStand stand = new ReplayStand(kafka.address())) {
            // given
            String channel = channelIn(0, "news");
            List<Cursor> all = stand.publishMany(channel, 10);
            stand.startReady("tidegate.replay.scan.stall", "1s", "tidegate.replay.max-wait", "500ms");
            Replay.Request request = stand.after(channel, all.get(4), 9);
            Replay.Request ahead = stand.after(channel, all.get(4), 10);

            // when
            kafka.close();
            await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_kafka_reachable") == 0);

            // then
            assertThat(stand.replay(request).getFirst().events()).hasSize(5);
            assertThat(stand.replay(ahead).getFirst().end().error()).isEqualTo(ErrorCode.UNAVAILABLE);
            assertThat(stand.status("/actuator/health/readiness")).isEqualTo(200);

            // and when it is back
            kafka = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), port, Map.of());
            stand.publish(channel, "\"back\"");

            // then
            await().atMost(Duration.ofSeconds(60)).untilAsserted(() -> {
                Answered answer = stand.replay(ahead).getFirst();
                assertThat(answer.end().error()).isNull();
                assertThat(answer.events()).hasSize(6);
                assertThat(answer.end().tier()).as("memory was kept").isEqualTo(Replay.Tier.MEMORY);
            });
            assertThat(stand.metric("tidegate_replay_tail_restarts_total")).isZero();
        } finally {
            kafka.close();
        }
    }

    @Test
    void itWaitsForATopicThatIsNotThereYet() {
        try (ReplayStand stand = new ReplayStand()) {
            // given
            stand.deleteTopic();
            stand.start("tidegate.replay.max-wait", "100ms");
            assertThat(stand.status("/actuator/health/readiness")).isEqualTo(503);
            assertThat(stand.status("/actuator/health/liveness")).isEqualTo(200);
            assertThat(stand.get("/v1/channels/news/events").statusCode()).isEqualTo(503);
            Replay.Request early =
                    new Replay.Request(new dev.tidegate.protocol.ChannelName("news"), null, 1, "k3ZqW1xA", 0, -1, 10);
            assertThat(stand.replay(early).getFirst().end().error()).isEqualTo(ErrorCode.UNAVAILABLE);

            // when
            stand.createTopic();

            // then
            stand.awaitReady();
        }
    }

    @Test
    void transactionsAreReplayedWhenCommittedAndTheirMarkersHoldNobodyUp() {
        try (ReplayStand stand = new ReplayStand();
                KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                        Map.of(
                                "bootstrap.servers",
                                Backends.shared().kafka(),
                                "transactional.id",
                                Backends.unique("replay-test")),
                        new ByteArraySerializer(),
                        new ByteArraySerializer())) {
            // given: committed (0, 1, marker 2), aborted (3, marker 4), committed (5, marker 6)
            String channel = channelIn(0, "news");
            producer.initTransactions();
            transaction(stand, producer, channel, 2, true);
            transaction(stand, producer, channel, 1, false);
            transaction(stand, producer, channel, 1, true);
            Cursor start = new Cursor(stand.epoch(), 0, -1);

            for (String fill : List.of("true", "false")) {
                // when: a gateway stands behind the last marker
                stand.startReady("tidegate.replay.recent.fill", fill);
                Answered answer = stand.replay(stand.after(channel, start, 6)).getFirst();

                // then
                assertThat(answer.end().error()).isNull();
                assertThat(answer.offsets()).containsExactly(0L, 1L, 5L);
                assertThat(answer.end().complete()).isTrue();
                stand.stop();
            }
        }
    }

    private static void transaction(
            ReplayStand stand, KafkaProducer<byte[], byte[]> producer, String channel, int events, boolean commit) {
        producer.beginTransaction();
        for (int i = 0; i < events; i++) {
            var _ = producer.send(new ProducerRecord<>(
                    stand.topic,
                    channel.getBytes(StandardCharsets.US_ASCII),
                    Integer.toString(i).getBytes(StandardCharsets.US_ASCII)));
        }
        producer.flush();
        if (commit) {
            producer.commitTransaction();
        } else {
            producer.abortTransaction();
        }
    }
}

package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.PARTITIONS;
import static dev.tidegate.replay.ReplayStand.channelIn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedPostgres;
import dev.tidegate.backends.Ports;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.ReplayStand.Answered;
import dev.tidegate.testsupport.Backends;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** PostgreSQL killed while it is archived into, and away while history is asked for. */
@Timeout(600)
class ArchiveOutageTest {
    private static final Duration PATIENCE = Duration.ofSeconds(90);

    @TempDir
    Path folder;

    @Test
    void howFarTheArchiveIsBehindIsNotKnownWhilePostgresHasBeenAwayFromTheStart() throws Exception {
        DataFolder data = DataFolder.open(folder);
        int port = Ports.orFree(0);
        try (ReplayStand stand = new ReplayStand()) {
            // given
            String channel = channelIn(0, "orders:a");
            stand.publishMany(channel, 10);

            // when
            stand.startReady(
                    "tidegate.postgres.url", "postgresql://postgres@127.0.0.1:" + port + "/postgres",
                    "tidegate.postgres.retry", "200ms",
                    "tidegate.namespaces.orders.archive", "true");

            // then
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(stand.metric("tidegate_replay_archive_unplaced"))
                            .isEqualTo(PARTITIONS));
            assertThat(stand.metric("tidegate_replay_archive_lag")).isNaN();
            double before = stand.metric("tidegate_replay_archive_lag_seconds");
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(stand.metric("tidegate_replay_archive_lag_seconds"))
                            .isGreaterThan(before));

            // when it is there
            try (EmbeddedPostgres postgres = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), port, Map.of())) {
                // then
                await().atMost(PATIENCE).untilAsserted(() -> {
                    assertThat(stand.metric("tidegate_replay_archive_unplaced")).isZero();
                    assertThat(stand.metric("tidegate_replay_archive_lag")).isZero();
                    assertThat(stand.metric("tidegate_replay_archive_lag_seconds"))
                            .isZero();
                });
                assertThat(ArchivedRecord.position(postgres.address(), stand.epoch(), 0))
                        .isEqualTo(10);
            }
        }
    }

    @Test
    void postgresIsKilledWhileEventsAreArchived() throws Exception {
        DataFolder data = DataFolder.open(folder);
        EmbeddedPostgres postgres = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, Map.of());
        int port = postgres.port();
        String address = postgres.address();
        try (ReplayStand stand = new ReplayStand()) {
            // given
            List<String> channels = new ArrayList<>();
            for (int p = 0; p < PARTITIONS; p++) {
                channels.add(channelIn(p, "orders:a"));
                channels.add(channelIn(p, "orders:b"));
            }
            String first = channels.getFirst();
            List<Cursor> early = stand.publishMany(first, 100);
            stand.startReady(
                    "tidegate.postgres.url", address,
                    "tidegate.namespaces.orders.archive", "true",
                    "tidegate.replay.recent.fill", "false",
                    "tidegate.replay.archive.linger", "10ms",
                    "tidegate.replay.archive.batch-events", "50");
            await().atMost(PATIENCE)
                    .untilAsserted(() -> assertThat(ArchivedRecord.position(address, stand.epoch(), 0))
                            .isEqualTo(100));
            stand.deleteRecordsBefore(0, 50);
            Replay.Request old = stand.after(first, early.get(9), 99);
            await().atMost(PATIENCE)
                    .untilAsserted(() ->
                            assertThat(stand.replay(old).getFirst().offsets()).hasSize(90));

            // when it is killed again and again while there is work
            for (int round = 0; round < 3; round++) {
                // before there is work: on a quick machine it is done by the time it has all been published
                long before = ArchivedRecord.position(address, stand.epoch(), 0);
                for (String channel : channels) {
                    stand.publishMany(channel, 1_000);
                }
                await().atMost(PATIENCE).until(() -> ArchivedRecord.position(address, stand.epoch(), 0) > before);
                kill(postgres);
                for (String channel : channels) {
                    stand.publishMany(channel, 200);
                }
                if (round == 0) {
                    answersWithoutTheArchive(stand, first, early);
                }
                postgres = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), port, Map.of());
            }

            // then
            for (int p = 0; p < PARTITIONS; p++) {
                int partition = p;
                long end = 2L * 3 * 1_200 + (p == 0 ? 101 : 0);
                await().atMost(PATIENCE)
                        .untilAsserted(() -> assertThat(ArchivedRecord.position(address, stand.epoch(), partition))
                                .isEqualTo(end));
            }
            List<ArchivedRecord> inTopic =
                    ArchivedRecord.inTopic(Backends.shared().kafka(), stand.topic, PARTITIONS, "orders");
            List<ArchivedRecord> inArchive = ArchivedRecord.inArchive(address, stand.epoch());
            assertThat(inArchive.subList(50, inArchive.size())).isEqualTo(inTopic);
            await().atMost(PATIENCE)
                    .untilAsserted(() ->
                            assertThat(stand.replay(old).getFirst().offsets()).hasSize(90));
        } finally {
            postgres.close();
        }
    }

    /** Memory and Kafka go on; what only the archive has is neither there nor a gap. */
    private static void answersWithoutTheArchive(ReplayStand stand, String channel, List<Cursor> early) {
        await().atMost(PATIENCE).untilAsserted(() -> {
            Answered onlyArchived =
                    stand.replay(stand.after(channel, early.get(9), 99)).getFirst();
            assertThat(onlyArchived.end().error()).isEqualTo(ErrorCode.UNAVAILABLE);
            assertThat(onlyArchived.end().gap()).isNull();
            assertThat(onlyArchived.end().message()).contains("may be in the archive");
        });
        Answered inKafka = stand.replay(stand.after(channel, early.get(79), 99)).getFirst();
        assertThat(inKafka.end().error()).isNull();
        assertThat(inKafka.end().tier()).isEqualTo(Replay.Tier.KAFKA);
        assertThat(inKafka.events()).hasSize(20);
        long end = stand.publish(channel, "1").offset();
        Answered inMemory = stand.replay(stand.after(channel, early.getFirst().at(end - 5), end))
                .getFirst();
        assertThat(inMemory.end().tier()).isEqualTo(Replay.Tier.MEMORY);
        assertThat(inMemory.events()).hasSize(1);
        assertThat(stand.get(ReplayStand.path(channel) + "?from=0").statusCode())
                .isEqualTo(503);
        assertThat(stand.status("/actuator/health/readiness")).isEqualTo(200);
    }

    private static void kill(EmbeddedPostgres postgres) throws Exception {
        boolean _ = ProcessHandle.of(postgres.pid()).orElseThrow().destroyForcibly();
        String _ = postgres.ended().get(30, TimeUnit.SECONDS);
    }
}

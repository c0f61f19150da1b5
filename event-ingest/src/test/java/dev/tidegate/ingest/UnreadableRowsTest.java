package dev.tidegate.ingest;

import static dev.tidegate.ingest.IngestUnderTest.text;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.postgres.Session;
import dev.tidegate.postgres.PostgresServer;
import dev.tidegate.postgres.Schema;
import dev.tidegate.testsupport.Backends;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Rows of the spool that a later version wrote, or that are damaged, met by the whole service. */
@Timeout(180)
class UnreadableRowsTest {
    private static final Duration WITHIN = Duration.ofSeconds(60);

    /** Neither type, source, content type, trace context nor attributes. */
    private static final byte[] ENVELOPE = {
        1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0
    };

    private static final byte[] LATER = {2, 1};
    private static final byte[] DAMAGED = {1, 0, 0};

    private static final Map<String, Object> SETTINGS = Map.of(
            "tidegate.ingest.spool.poll", "200ms",
            "tidegate.ingest.spool.settle", "300ms",
            "tidegate.rehome.enabled", false);

    private final String topic = Backends.unique("fanout");

    private static Session session() {
        return Session.open(
                PostgresServer.parse("tidegate.postgres.url", Backends.shared().postgres()),
                "unreadable-rows-test",
                Duration.ofSeconds(20),
                Duration.ofSeconds(20));
    }

    @BeforeAll
    static void prepare() {
        var _ = new Schema("ingest")
                .migrate(PostgresServer.parse(
                        "tidegate.postgres.url", Backends.shared().postgres()));
    }

    private void insert(Session session, String channel, String payload, byte[] envelope) {
        var _ = session.update(
                "INSERT INTO ingest.spool (topic, channel, event_id, accepted_at, doubtful, bytes, envelope, payload)"
                        + " VALUES ($1, $2, $3, $4, false, 100, $5, $6)",
                topic,
                channel,
                "id-" + payload,
                System.currentTimeMillis(),
                envelope,
                payload.getBytes(StandardCharsets.US_ASCII));
    }

    private List<String> log(IngestUnderTest ingest, String channel) {
        return ingest.records().stream()
                .filter(r -> text(r.key()).equals(channel))
                .map(r -> text(r.value()))
                .toList();
    }

    private void awaitLog(IngestUnderTest ingest, String channel, String... payloads) {
        await().atMost(WITHIN)
                .untilAsserted(() -> assertThat(log(ingest, channel)).containsExactly(payloads));
    }

    @Test
    @DisplayName("They hold up their channels alone, loudly; what is published there follows them; nothing is lost")
    void holdUpTheirChannelsAlone() {
        // given
        try (Session session = session()) {
            insert(session, "chat:later", "1", ENVELOPE);
            insert(session, "chat:later", "2", LATER);
            insert(session, "chat:damaged", "1", DAMAGED);
            insert(session, "chat:later", "3", ENVELOPE);
            insert(session, "chat:well", "1", ENVELOPE);
            insert(session, "chat:well", "2", ENVELOPE);
            try (IngestUnderTest ingest = IngestUnderTest.start(topic, SETTINGS)) {
                // then the others go on
                awaitLog(ingest, "chat:well", "1", "2");
                awaitLog(ingest, "chat:later", "1");
                await().atMost(WITHIN)
                        .until(() -> ingest.metric("tidegate_ingest_kafka_state{state=\"healthy\"}") == 1);
                // and events of the channels go behind them, in whatever state
                assertThat(ingest.publish("chat:later", "4").status()).isEqualTo(202);
                assertThat(ingest.publish("chat:damaged", "2").status()).isEqualTo(202);
                await().atMost(WITHIN)
                        .until(() -> ingest.publish("chat:well", "3").status(), status -> status == 201);
                // and it is loud
                await().atMost(WITHIN).untilAsserted(() -> {
                    assertThat(ingest.metric("tidegate_ingest_spool_unreadable"))
                            .isEqualTo(2);
                    assertThat(ingest.metric("tidegate_ingest_spool_held")).isEqualTo(5);
                });
                assertThat(ingest.get("/actuator/health").text())
                        .contains("event id-2): envelope: version 2 (expected: 1)");

                // when one comes that knows the version: what was marked by less knowledge is tried again
                var _ = session.update(
                        "UPDATE ingest.spool SET envelope = $2, unread_by = 0 WHERE topic = $1 AND event_id = 'id-2'"
                                + " AND channel = 'chat:later'",
                        topic,
                        ENVELOPE);
                // then
                awaitLog(ingest, "chat:later", "1", "2", "3", "4");
                // when a person gives up the damaged one
                var _ = session.update(
                        "UPDATE ingest.spool SET fault = 'damaged' WHERE topic = $1 AND channel = 'chat:damaged'"
                                + " AND event_id = 'id-1'",
                        topic);
                // then what follows it is relayed
                awaitLog(ingest, "chat:damaged", "2");
                await().atMost(WITHIN).untilAsserted(() -> {
                    assertThat(ingest.metric("tidegate_ingest_spool_unreadable"))
                            .isZero();
                    assertThat(ingest.metric("tidegate_ingest_spool_held")).isZero();
                    assertThat(ingest.metric("tidegate_ingest_spool_depth")).isZero();
                });
                await().atMost(WITHIN)
                        .until(() -> ingest.publish("chat:later", "5").status(), status -> status == 201);
            } finally {
                var _ = session.update("DELETE FROM ingest.spool WHERE topic = $1", topic);
            }
        }
    }
}

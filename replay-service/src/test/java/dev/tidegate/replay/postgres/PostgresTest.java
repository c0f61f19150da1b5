package dev.tidegate.replay.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedPostgres;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.PostgresSettings;
import io.r2dbc.pool.PoolMetrics;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.Mono;

/** A PostgreSQL that is not there yet, goes, hangs, comes back, and comes back empty. */
@Timeout(480)
class PostgresTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final String COUNT = "SELECT count(*) FROM replay.durable_cursor";

    @Test
    void itIsUsedWheneverItIsThere(@TempDir Path folder) {
        DataFolder data = DataFolder.open(folder);
        EmbeddedPostgres server = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, Map.of());
        int port = server.port();
        server.close();
        try (Postgres postgres = new Postgres(settings(server.address()))) {
            // given: not there yet
            postgres.start();
            assertUnavailable(postgres);
            assertThat(postgres.prepared()).isFalse();

            // when
            server = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), port, Map.of());

            // then
            await().atMost(PATIENCE).until(postgres::prepared);
            assertThat(count(postgres)).isZero();

            // when it goes
            server.close();

            // then
            assertUnavailable(postgres);
            assertThat(postgres.up()).isFalse();

            // and when it is back
            server = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), port, Map.of());

            // then
            assertThat(count(postgres)).isZero();
            assertThat(postgres.up()).isTrue();

            // when something hangs
            assertUnavailable(postgres, "SELECT pg_sleep(600)");

            // then its connection is no longer taken
            assertThat(count(postgres)).isZero();
            assertThat(postgres.pooled(PoolMetrics::acquiredSize)).isZero();

            // when everything in it is gone
            execute(postgres, "DROP SCHEMA replay CASCADE");
            assertUnavailable(postgres);

            // then
            await().atMost(PATIENCE).until(postgres::prepared);
            assertThat(count(postgres)).isZero();
        } finally {
            server.close();
        }
    }

    @Test
    void withoutAUrlItSaysSo() {
        try (Postgres postgres = new Postgres(settings(""))) {
            // given
            postgres.start();

            // when, then
            assertThatThrownBy(() -> count(postgres)).hasMessageContaining("tidegate.postgres.url is not set");
        }
    }

    private static PostgresSettings settings(String url) {
        return new PostgresSettings(url, 1, 16, Duration.ofSeconds(2), Duration.ofSeconds(10), Duration.ofMillis(200));
    }

    private static long count(Postgres postgres) {
        return postgres.run(
                        Duration.ofSeconds(10),
                        c -> Mono.from(c.createStatement(COUNT).execute())
                                .flatMap(r -> Mono.from(r.map(row -> row.get(0, Long.class)))))
                .block(PATIENCE);
    }

    private static void execute(Postgres postgres, String sql) {
        postgres.run(
                        Duration.ofSeconds(10),
                        c -> Mono.from(c.createStatement(sql).execute()).flatMap(r -> Mono.from(r.getRowsUpdated())))
                .block(PATIENCE);
    }

    private static void assertUnavailable(Postgres postgres) {
        assertThatThrownBy(() -> count(postgres))
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE));
    }

    private static void assertUnavailable(Postgres postgres, String sql) {
        assertThatThrownBy(() -> postgres.run(
                                Duration.ofMillis(300),
                                c -> Mono.from(c.createStatement(sql).execute())
                                        .flatMap(r -> Mono.from(r.map(row -> "done"))))
                        .block(PATIENCE))
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.UNAVAILABLE));
    }
}

package dev.tidegate.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedPostgres;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Schema {@code sample}, of two scripts. */
@Timeout(480)
class SchemaTest {
    @TempDir
    static Path folder;

    private static EmbeddedPostgres postgres;
    private static PostgresServer server;

    private final Schema schema = new Schema("sample");

    @BeforeAll
    static void start() {
        postgres =
                EmbeddedPostgres.start(DataFolder.open(folder).claim(BackendKind.POSTGRES), 0, Map.of("fsync", "off"));
        server = PostgresServer.parse("url", postgres.address());
    }

    @AfterAll
    static void stop() {
        postgres.close();
    }

    @Test
    void instancesThatStartAtOnceApplyEachScriptOnce() throws Exception {
        // given
        List<Callable<Integer>> instances =
                List.of(() -> schema.migrate(server), () -> schema.migrate(server), () -> schema.migrate(server));

        // when
        int applied = 0;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Future<Integer> each : threads.invokeAll(instances)) {
                applied += each.get();
            }
        }

        // then
        assertThat(applied).isEqualTo(2);
        execute("INSERT INTO sample.thing (id, name) VALUES (1, 'one')");
        assertThat(schema.migrate(server)).isZero();

        // when the database comes back empty
        execute("DROP SCHEMA sample CASCADE");

        // then
        assertThat(schema.migrate(server)).isEqualTo(2);
    }

    @Test
    void whatCannotBeNowIsTold() {
        // given
        PostgresServer nobody = new PostgresServer("127.0.0.1", 1, "none", "none", null, null);

        // when, then
        assertThatThrownBy(() -> schema.migrate(nobody)).hasStackTraceContaining("127.0.0.1:1 refused");
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = server.jdbc("test", 10, 60).getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}

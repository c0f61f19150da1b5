package dev.tidegate.backends;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Each backend once through its life: first start, data, stop, second start on the same port, damage. */
@Timeout(360)
class EmbeddedBackendsTest {

    @TempDir
    Path temp;

    @Test
    @DisplayName("Kafka keeps its topics, has the port asked for, and tells a damaged folder")
    void kafka() throws Exception {
        // given
        DataFolder data = DataFolder.open(temp);
        int port = Ports.free();
        String topicId;
        try (EmbeddedKafka kafka = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), port, Map.of());
                Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.address()))) {
            assertThat(kafka.port()).isEqualTo(port);
            topicId = admin.createTopics(List.of(new NewTopic("kept", 3, (short) 1)))
                    .topicId("kept")
                    .get()
                    .toString();
        }
        // when
        try (EmbeddedKafka again = EmbeddedKafka.start(data.claim(BackendKind.KAFKA), port, Map.of());
                Admin admin = Admin.create(Map.of("bootstrap.servers", again.address()))) {
            // then
            var kept =
                    admin.describeTopics(List.of("kept")).allTopicNames().get().get("kept");
            assertThat(kept.topicId()).hasToString(topicId);
            assertThat(kept.partitions()).hasSize(3);
            assertThat(again.ended()).isNotDone();
        }

        // and given a folder that is damaged in its heart
        Files.writeString(temp.resolve("kafka/meta.properties"), "version=1\ncluster.id=\n");
        assertDamaged(() -> EmbeddedKafka.start(data.claim(BackendKind.KAFKA), 0, Map.of()));
        // or that lacks it
        Files.delete(temp.resolve("kafka/meta.properties"));
        assertDamaged(() -> EmbeddedKafka.start(data.claim(BackendKind.KAFKA), 0, Map.of()));
    }

    @Test
    @DisplayName("Redis keeps its keys over a stop and over SIGKILL, and tells a damaged file")
    void redis() throws Exception {
        // given
        DataFolder data = DataFolder.open(temp);
        try (EmbeddedRedis redis =
                EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of("appendfsync", "always"))) {
            assertThat(redis(redis.port(), "SET k v")).isEqualTo("+OK");
            // when killed
            ProcessHandle.of(redis.pid()).orElseThrow().destroyForcibly();
            // then it is told, and its part is free again
            assertThat(redis.ended().join()).isEqualTo("exit code 137");
        }
        int port = Ports.free();
        try (EmbeddedRedis again = EmbeddedRedis.start(data.claim(BackendKind.REDIS), port, Map.of())) {
            assertThat(again.port()).isEqualTo(port);
            assertThat(redis(port, "GET k")).isEqualTo("$1v");
        }

        // and given damage in the middle of its file
        Path aof = temp.resolve("redis/appendonly.aof");
        Files.writeString(
                aof,
                "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\nrubbish\r\n" + Files.readString(aof),
                StandardOpenOption.TRUNCATE_EXISTING);
        assertDamaged(() -> EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of()));
    }

    @Test
    @DisplayName("PostgreSQL starts again after SIGKILL, whoever has its old pid now, and tells a damaged folder")
    void postgres() throws Exception {
        // given
        DataFolder data = DataFolder.open(temp);
        Map<String, String> quick = Map.of("fsync", "off");
        try (EmbeddedPostgres postgres = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, quick)) {
            assertThat(query(postgres.port(), "create table kept as select 42 as n"))
                    .contains("SELECT 1");
            ProcessHandle.of(postgres.pid()).orElseThrow().destroyForcibly();
            assertThat(postgres.ended().join()).isEqualTo("exit code 137");
        }
        // when the pid that it left is that of a living process
        Path pidFile = temp.resolve("postgres/postmaster.pid");
        List<String> lines = Files.readAllLines(pidFile);
        Files.write(
                pidFile,
                Stream.concat(
                                Stream.of(Long.toString(ProcessHandle.current().pid())),
                                lines.stream().skip(1))
                        .toList());
        // then
        try (EmbeddedPostgres again = EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, quick)) {
            assertThat(query(again.port(), "select n from kept")).contains("42");
        }

        // and given damage
        Files.write(temp.resolve("postgres/global/pg_control"), new byte[8192]);
        assertDamaged(() -> EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, quick));
        Files.delete(temp.resolve("postgres/PG_VERSION"));
        assertDamaged(() -> EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, quick));
    }

    private static void assertDamaged(org.assertj.core.api.ThrowableAssert.ThrowingCallable start) {
        assertThatThrownBy(start)
                .isInstanceOf(StartFailure.class)
                .hasMessageContaining("is damaged")
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1))
                .satisfies(e -> assertThat(e.getStackTrace()).isEmpty());
    }

    private static String redis(int port, String command) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.getOutputStream().write((command + "\r\nQUIT\r\n").getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                    .replace("\r\n", "")
                    .replaceFirst("\\+OK$", "");
        }
    }

    /** PostgreSQL's simple query protocol, as far as one statement by a trusted user needs it. */
    private static String query(int port, String sql) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout((int) Duration.ofSeconds(60).toMillis());
            OutputStream out = socket.getOutputStream();
            byte[] parameters = "user\0postgres\0database\0postgres\0\0".getBytes(StandardCharsets.US_ASCII);
            out.write(java.nio.ByteBuffer.allocate(8 + parameters.length)
                    .putInt(8 + parameters.length)
                    .putInt(196_608)
                    .put(parameters)
                    .array());
            byte[] statement = (sql + "\0").getBytes(StandardCharsets.US_ASCII);
            out.write(java.nio.ByteBuffer.allocate(5 + statement.length)
                    .put((byte) 'Q')
                    .putInt(4 + statement.length)
                    .put(statement)
                    .array());
            out.write(new byte[] {'X', 0, 0, 0, 4});
            return new String(new DataInputStream(socket.getInputStream()).readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }
}

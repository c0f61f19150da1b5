package dev.tidegate.testsupport;

import dev.tidegate.backends.Backend;
import dev.tidegate.backends.BackendGroup;
import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.backends.EmbeddedPostgres;
import dev.tidegate.backends.EmbeddedRedis;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** Those of {@code ./tidegate up}: Kafka in this JVM, Redis and PostgreSQL beside it, on free ports, in a folder under {@code target}. */
final class EmbeddedBackends implements Backends {

    /** Retention is a thing that tests wait for. */
    private static final Map<String, String> KAFKA = Map.of(
            "log.retention.check.interval.ms",
            "500",
            "log.initial.task.delay.ms",
            "500",
            "log.segment.delete.delay.ms",
            "500");

    /** Nothing here has to survive the machine. */
    private static final Map<String, String> POSTGRES =
            Map.of("fsync", "off", "synchronous_commit", "off", "full_page_writes", "off");

    private final Map<BackendKind, Backend> running = new EnumMap<>(BackendKind.class);

    private EmbeddedBackends(BackendGroup group) {
        group.running().forEach(backend -> running.put(backend.kind(), backend));
    }

    static EmbeddedBackends start() {
        Path folder = Path.of(
                "target", "test-backends", Long.toString(ProcessHandle.current().pid()));
        DataFolder data = DataFolder.open(folder);
        BackendGroup group = new BackendGroup();
        Runtime.getRuntime()
                .addShutdownHook(new Thread(
                        () -> {
                            group.close();
                            delete(data.path());
                        },
                        "stop-test-backends"));
        group.start(
                List.of(
                        () -> EmbeddedKafka.start(data.claim(BackendKind.KAFKA), 0, KAFKA),
                        () -> EmbeddedRedis.start(data.claim(BackendKind.REDIS), 0, Map.of()),
                        () -> EmbeddedPostgres.start(data.claim(BackendKind.POSTGRES), 0, POSTGRES)),
                backend -> {});
        return new EmbeddedBackends(group);
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String address(BackendKind kind) {
        return Objects.requireNonNull(running.get(kind)).address();
    }

    @Override
    public String kafka() {
        return address(BackendKind.KAFKA);
    }

    @Override
    public String redis() {
        return address(BackendKind.REDIS);
    }

    @Override
    public String postgres() {
        return address(BackendKind.POSTGRES);
    }
}

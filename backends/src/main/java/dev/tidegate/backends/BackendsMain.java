package dev.tidegate.backends;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;

/**
 * {@code ./tidegate backends [kafka] [redis] [postgres]}: all three, or those named, in the foreground until SIGTERM or Ctrl-C.
 *
 * <p>Redis and PostgreSQL are processes of their own in any case. Kafka is one too when several are asked for; asked for alone it is this JVM.
 * One that dies is told and the others go on: failure drills kill them and start them again one by one. The command ends with the last of them.
 *
 * <p>Environment: {@code TIDEGATE_DATA} (./data), {@code TIDEGATE_KAFKA_PORT}, {@code TIDEGATE_REDIS_PORT}, {@code TIDEGATE_POSTGRES_PORT},
 * {@code TIDEGATE_KAFKA_SETTINGS} (a properties file that is laid over Kafka's settings; see {@link EmbeddedKafka#start}).
 */
public final class BackendsMain {

    static final String COMPLAINT = "tidegate: ";

    private static final String KAFKA_SETTINGS = "TIDEGATE_KAFKA_SETTINGS";

    private final Map<String, String> environment;
    private final BackendGroup group = new BackendGroup();
    private final long begun = System.nanoTime();

    private BackendsMain(Map<String, String> environment) {
        this.environment = environment;
    }

    /** Runs the command; exit code 2 with one line for what the user can mend, 1 when every backend has died. */
    public static void main(String[] arguments) {
        BackendsMain command = new BackendsMain(System.getenv());
        try {
            command.run(kinds(arguments));
        } catch (StartFailure e) {
            System.err.println(COMPLAINT + e.getMessage());
            System.exit(StartFailure.EXIT_CODE);
        }
        System.exit(1);
    }

    private static List<BackendKind> kinds(String[] arguments) {
        if (arguments.length == 0) {
            return List.of(BackendKind.values());
        }
        return Arrays.stream(arguments)
                .map(label -> BackendKind.of(label)
                        .orElseThrow(() -> new StartFailure(
                                "no backend is called " + label + " (expected: kafka, redis, postgres)")))
                .distinct()
                .toList();
    }

    private void run(List<BackendKind> kinds) {
        DataFolder data = DataFolder.open(Path.of(environment.getOrDefault("TIDEGATE_DATA", "data")));
        BackendLogging.toFilesOf(data);
        Runtime.getRuntime().addShutdownHook(new Thread(group::close, "stop"));

        // Claims first: they end what an earlier run left over, which may hold the ports.
        List<Claim> claims = kinds.stream().map(data::claim).toList();
        List<Callable<Backend>> starts = new ArrayList<>();
        for (Claim claim : claims) {
            BackendKind kind = claim.kind();
            int port = Ports.of(environment, kind.portVariable(), kind.defaultPort());
            Ports.requireFree(kind.label(), "127.0.0.1", port, kind.portVariable());
            boolean alone = kinds.size() == 1;
            starts.add(() -> start(kind, data, claim, port, alone));
        }
        group.start(starts, this::tellReady);
        if (kinds.size() > 1) {
            System.out.println("Backends are ready (data in " + data.path() + "; Ctrl-C stops them)");
        }
        awaitAll();
    }

    private Backend start(BackendKind kind, DataFolder data, Claim claim, int port, boolean alone) {
        return switch (kind) {
            case KAFKA ->
                alone ? EmbeddedKafka.start(claim, port, kafkaSettings()) : KafkaProcess.start(data, claim, port);
            case REDIS -> EmbeddedRedis.start(claim, port, Map.of());
            case POSTGRES -> EmbeddedPostgres.start(claim, port, Map.of());
        };
    }

    private Map<String, String> kafkaSettings() {
        String file = environment.getOrDefault(KAFKA_SETTINGS, "").strip();
        if (file.isEmpty()) {
            return Map.of();
        }
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(Path.of(file), StandardCharsets.UTF_8)) {
            properties.load(reader);
        } catch (IOException | IllegalArgumentException e) {
            throw new StartFailure(KAFKA_SETTINGS + ": " + file + " (expected: a properties file that can be read)", e);
        }
        return properties.stringPropertyNames().stream()
                .collect(Collectors.toUnmodifiableMap(name -> name, properties::getProperty));
    }

    private void tellReady(Backend backend) {
        double seconds = Duration.ofNanos(System.nanoTime() - begun).toMillis() / 1000.0;
        System.out.printf(
                "%-8s  pid %-7d  port %-5d  %s after %.1f s, %s%n",
                backend.kind().label(), backend.pid(), backend.port(), backend.address(), seconds, KafkaProcess.READY);
        var _ = backend.ended().thenAccept(how -> tellEnd(backend, how));
    }

    private void tellEnd(Backend backend, String how) {
        if (!group.isClosing()) {
            String label = backend.kind().label();
            System.out.printf(
                    "%-8s  pid %-7d  DIED (%s): start it again with ./tidegate backends %s%n",
                    label, backend.pid(), how, label);
        }
    }

    private void awaitAll() {
        CompletableFuture.allOf(group.running().stream().map(Backend::ended).toArray(CompletableFuture<?>[]::new))
                .join();
    }
}

package dev.tidegate.backends;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Kafka in a JVM of its own: {@link BackendsMain} with the argument {@code kafka}, as a guarded child with this JVM's own class path and flags. */
public final class KafkaProcess implements Backend {

    private static final Duration READY_WITHIN = Duration.ofSeconds(150);

    /** The word that the child ends its line with; see {@link BackendsMain}. */
    static final String READY = "ready";

    private final GuardedProcess process;
    private final int port;

    private KafkaProcess(GuardedProcess process, int port) {
        this.process = process;
        this.port = port;
    }

    /**
     * Starts it and waits until it takes connections.
     *
     * @param claim given back at once: the child takes its own
     * @param port 0 for a free one
     * @throws StartFailure when it does not come up
     */
    public static KafkaProcess start(DataFolder data, Claim claim, int port) {
        claim.close();
        int chosen = Ports.orFree(port);
        Path out = LogTail.emptied(data.logs().resolve("kafka.out"));
        GuardedProcess process = GuardedProcess.start(
                command(),
                Map.of(
                        "TIDEGATE_DATA",
                        data.path().toString(),
                        BackendKind.KAFKA.portVariable(),
                        Integer.toString(chosen)),
                "TERM",
                out);
        boolean ready = Waiting.until(
                READY_WITHIN,
                () -> !process.isAlive()
                        || LogTail.last(out, line -> line.endsWith(READY)).isPresent());
        if (ready && process.isAlive()) {
            return new KafkaProcess(process, chosen);
        }
        process.stop();
        throw new StartFailure(
                ready
                        ? LogTail.last(out, line -> line.startsWith(BackendsMain.COMPLAINT))
                                .map(line -> line.substring(BackendsMain.COMPLAINT.length()))
                                .orElse("Kafka ended while it started (see " + out + ")")
                        : "Kafka did not start within " + READY_WITHIN.toSeconds() + " s (see " + out + ")");
    }

    private static List<String> command() {
        String classPath = System.getProperty("java.class.path");
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        if (classPath.endsWith("-exec.jar")) {
            command.addAll(List.of("-jar", classPath));
        } else {
            command.addAll(List.of("-cp", classPath, BackendsMain.class.getName()));
        }
        command.add(BackendKind.KAFKA.label());
        return command;
    }

    @Override
    public BackendKind kind() {
        return BackendKind.KAFKA;
    }

    @Override
    public int port() {
        return port;
    }

    @Override
    public long pid() {
        return process.pid();
    }

    @Override
    public CompletableFuture<String> ended() {
        return process.ended();
    }

    @Override
    public void close() {
        process.stop();
    }
}

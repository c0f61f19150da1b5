package dev.tidegate.testsupport;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.BackendsMain;
import dev.tidegate.backends.GuardedProcess;
import dev.tidegate.backends.Ports;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A service or a backend in a process of its own, to be killed, frozen and started again on the same port. Services run from their executable jars
 * ({@code ./tidegate build} makes them, so does {@code mvn verify}), backends from this JVM's class path. Output goes to {@code target/processes}.
 *
 * <p>It ends with this JVM, however that ends: a test that dies leaves nothing behind. Not thread-safe.
 */
public final class ServiceProcess implements AutoCloseable {

    /** What can be started. */
    public enum Kind {
        INGEST("event-ingest", "TIDEGATE_INGEST_PORT"),
        REPLAY("replay-service", "TIDEGATE_REPLAY_PORT"),
        GATEWAY("gateway-service", "TIDEGATE_GATEWAY_PORT"),
        KAFKA(BackendKind.KAFKA),
        REDIS(BackendKind.REDIS),
        POSTGRES(BackendKind.POSTGRES);

        private final String label;
        private final String portVariable;
        private final @Nullable BackendKind backend;

        Kind(String module, String portVariable) {
            this.label = module;
            this.portVariable = portVariable;
            this.backend = null;
        }

        Kind(BackendKind backend) {
            this.label = backend.label();
            this.portVariable = backend.portVariable();
            this.backend = backend;
        }
    }

    private static final String DEVELOPMENT = "--spring.profiles.active=dev";
    private static final Duration ASK_EVERY = Duration.ofMillis(50);
    private static final Duration END_WITHIN = Duration.ofMinutes(1);
    private static final Pattern BACKEND_READY = Pattern.compile("pid (\\d+) .*ready$", Pattern.MULTILINE);
    private static final AtomicInteger STARTED = new AtomicInteger();
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    private final Kind kind;
    private final int port;
    private final Map<String, String> environment;
    private final List<String> jvmFlags;
    private final List<String> arguments;
    private final Map<String, String> kafkaSettings;
    private final Duration readyWithin;
    private final Path log;

    private @Nullable GuardedProcess process;
    private long pid;
    private int logStart;

    private ServiceProcess(Builder builder) {
        kind = builder.kind;
        port = Ports.orFree(builder.port);
        environment = new LinkedHashMap<>(builder.environment);
        environment.put(kind.portVariable, Integer.toString(port));
        jvmFlags = List.copyOf(builder.jvmFlags);
        arguments = List.copyOf(builder.arguments);
        kafkaSettings = Map.copyOf(builder.kafkaSettings);
        readyWithin = builder.readyWithin;
        log = Path.of(
                "target",
                "processes",
                kind.label + "-" + ProcessHandle.current().pid() + "-" + STARTED.incrementAndGet() + ".log");
    }

    /** A process of that kind, not yet started. */
    public static Builder of(Kind kind) {
        return new Builder(kind);
    }

    /** What can be said before the start. */
    public static final class Builder {
        private final Kind kind;
        private final Map<String, String> environment = new LinkedHashMap<>();
        // The first compiler alone: these JVMs live for seconds, and dozens are started; what the second one would take
        // of two
        // cores it would not give back. A start takes two thirds of the time.
        private final List<String> jvmFlags = new ArrayList<>(List.of("-Xmx512m", "-XX:TieredStopAtLevel=1"));
        private final List<String> arguments = new ArrayList<>();
        private final Map<String, String> kafkaSettings = new LinkedHashMap<>();
        private int port;
        private Duration readyWithin = Duration.ofMinutes(3);

        private Builder(Kind kind) {
            this.kind = kind;
            if (kind.backend == null) {
                arguments.add(DEVELOPMENT);
            }
        }

        /** Adds environment variables, e.g. {@link Backends#environment()}. */
        public Builder environment(Map<String, String> variables) {
            environment.putAll(variables);
            return this;
        }

        /** Adds one environment variable. */
        public Builder environment(String name, String value) {
            environment.put(name, value);
            return this;
        }

        /** The port; a free one is picked, and kept over restarts, when this is not called. */
        public Builder port(int value) {
            port = value;
            return this;
        }

        /** Adds JVM flags after the service's own, {@code -Xmx512m} and the one for the first compiler alone. */
        public Builder jvm(String... flags) {
            jvmFlags.addAll(List.of(flags));
            return this;
        }

        /** Adds a Spring property of highest precedence. */
        public Builder property(String name, Object value) {
            arguments.add("--" + name + "=" + value);
            return this;
        }

        /** For {@link Kind#KAFKA}: adds settings by the names of {@code server.properties}, laid over those of the embedded Kafka. */
        public Builder kafkaSettings(Map<String, String> settings) {
            kafkaSettings.putAll(settings);
            return this;
        }

        /** How long a start may take; three minutes when this is not called (this machine may be busy). */
        public Builder readyWithin(Duration value) {
            readyWithin = value;
            return this;
        }

        /** Keeps what a backend stores; without it each process has a new folder under {@code target}. */
        public Builder data(Path folder) {
            return environment("TIDEGATE_DATA", folder.toAbsolutePath().toString());
        }

        /** As a plain {@code java -jar} does: without the development profile, in which anonymous clients are let in. */
        public Builder plainProfile() {
            arguments.remove(DEVELOPMENT);
            return this;
        }

        /** Starts it and waits until it is ready. */
        public ServiceProcess start() {
            ServiceProcess service = launch();
            service.awaitReady();
            return service;
        }

        /** Starts it and returns at once; {@link ServiceProcess#awaitReady()} waits. So several can start at the same time. */
        public ServiceProcess launch() {
            ServiceProcess service = new ServiceProcess(this);
            service.startOnly();
            return service;
        }
    }

    /** Starts it again after its end, on the same port with the same environment, and waits until it is ready. */
    public void start() {
        startOnly();
        awaitReady();
    }

    /** Starts it and returns at once; {@link #awaitReady()} waits. */
    public void startOnly() {
        if (process != null && process.isAlive()) {
            throw new IllegalStateException(kind + " runs");
        }
        try {
            Files.createDirectories(log.getParent());
            Files.writeString(log, "---- start ----\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            logStart = logText().length();
            if (!kafkaSettings.isEmpty()) {
                Path settings =
                        log.resolveSibling(log.getFileName() + ".settings").toAbsolutePath();
                Files.write(
                        settings,
                        kafkaSettings.entrySet().stream()
                                .map(setting -> setting.getKey() + "=" + setting.getValue())
                                .toList());
                environment.put("TIDEGATE_KAFKA_SETTINGS", settings.toString());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (kind.backend != null) {
            environment.putIfAbsent(
                    "TIDEGATE_DATA",
                    log.resolveSibling(log.getFileName() + ".data")
                            .toAbsolutePath()
                            .toString());
        }
        GuardedProcess started = GuardedProcess.start(command(), environment, "TERM", log);
        process = started;
        pid = started.pid();
    }

    private List<String> command() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (kind.backend == null) {
            Path module = root().resolve(kind.label);
            command.addAll(flags(module.resolve("src/main/jvm/flags")));
            command.addAll(jvmFlags);
            command.addAll(List.of("-jar", executableJar(module).toString()));
        } else {
            command.addAll(List.of(
                    "-XX:+UseCompactObjectHeaders",
                    "--enable-native-access=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow"));
            command.addAll(jvmFlags);
            command.addAll(
                    List.of("-cp", System.getProperty("java.class.path"), BackendsMain.class.getName(), kind.label));
        }
        command.addAll(arguments);
        return command;
    }

    private static Path root() {
        Path folder = Path.of("").toAbsolutePath();
        while (folder != null && !Files.exists(folder.resolve("protocol/pom.xml"))) {
            folder = folder.getParent();
        }
        return Objects.requireNonNull(folder, "tests run inside the project's folder");
    }

    private static List<String> flags(Path file) {
        try (Stream<String> lines = Files.exists(file) ? Files.lines(file) : Stream.empty()) {
            return lines.map(line -> line.replaceFirst("#.*", "").strip())
                    .filter(line -> !line.isEmpty())
                    .flatMap(line -> Stream.of(line.split("\\s+")))
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path executableJar(Path module) {
        Path target = module.resolve("target");
        try (Stream<Path> files = Files.isDirectory(target) ? Files.list(target) : Stream.empty()) {
            return files.filter(file -> file.getFileName().toString().endsWith("-exec.jar"))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException(
                            "no executable jar in " + target + ": run ./tidegate build first"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Waits until it is ready: a service by its readiness probe, a backend by its line. */
    public void awaitReady() {
        long deadline = System.nanoTime() + readyWithin.toNanos();
        while (!isReady()) {
            if (!isAlive()) {
                throw new AssertionError(kind + " ended while it started:\n" + logTail());
            }
            if (System.nanoTime() - deadline > 0) {
                throw new AssertionError(kind + " was not ready within " + readyWithin + ":\n" + logTail());
            }
            sleep();
        }
    }

    /** Whether it is ready at this moment. */
    public boolean isReady() {
        if (kind.backend == null) {
            return health() == 200;
        }
        Matcher line = BACKEND_READY.matcher(logText().substring(logStart));
        if (!line.find()) {
            return false;
        }
        pid = Long.parseLong(line.group(1));
        return true;
    }

    private int health() {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url() + "/actuator/health/readiness"))
                .timeout(Duration.ofSeconds(2))
                .build();
        try {
            return HTTP.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
        } catch (IOException notYet) {
            return -1;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted while waiting for " + kind, e);
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(ASK_EVERY);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** The port, the same at every start. */
    public int port() {
        return port;
    }

    /** {@code http://127.0.0.1:<port>}. */
    public String url() {
        return "http://127.0.0.1:" + port;
    }

    /** The variable and value by which others find it: {@code TIDEGATE_KAFKA}, {@code TIDEGATE_INGEST} and so on. */
    public Map<String, String> address() {
        String variable = kind.portVariable.replaceFirst("_PORT$", "");
        return Map.of(variable, kind.backend == null ? url() : kind.backend.address(port));
    }

    /** The pid that signals go to: a service's JVM, or the backend's own program. */
    public long pid() {
        return pid;
    }

    /** Whether it runs (a frozen one does). */
    public boolean isAlive() {
        return process != null && process.isAlive();
    }

    /** SIGKILL, and waits for the end. */
    public void kill() {
        signal("KILL", List.of(pid));
        awaitEnd();
    }

    /** SIGSTOP for it and all its children: it holds its connections and answers nothing. */
    public void freeze() {
        signal("STOP", withDescendants());
    }

    /** SIGCONT: it goes on where it was. */
    public void thaw() {
        signal("CONT", withDescendants());
    }

    /** SIGTERM, waits for the end, and returns how it ended, e.g. {@code exit code 143}. */
    public String terminate() {
        signal("TERM", List.of(running().pid()));
        return awaitEnd();
    }

    private GuardedProcess running() {
        if (process == null) {
            throw new IllegalStateException(kind + " was not started");
        }
        return process;
    }

    private List<Long> withDescendants() {
        List<Long> pids = new ArrayList<>(List.of(pid));
        ProcessHandle.of(pid).ifPresent(handle -> handle.descendants().forEach(child -> pids.add(child.pid())));
        return pids;
    }

    private static void signal(String signal, List<Long> pids) {
        if (!sent(signal, pids)) {
            throw new IllegalStateException("signal " + signal + " to " + pids + " failed");
        }
    }

    private static boolean sent(String signal, List<Long> pids) {
        List<String> command = new ArrayList<>(List.of("kill", "-s", signal));
        pids.forEach(one -> command.add(Long.toString(one)));
        try {
            Process kill = new ProcessBuilder(command).inheritIO().start();
            return kill.waitFor(1, TimeUnit.MINUTES) && kill.exitValue() == 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    private String awaitEnd() {
        try {
            return running().ended().get(END_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError(
                    kind + " (pid " + pid + ") has not ended within " + END_WITHIN + ":\n" + logTail(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        } catch (java.util.concurrent.ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Everything it has printed, all starts one after the other. */
    public String logText() {
        try {
            // Not readString, which fails on a character that is written in part as yet.
            return Files.exists(log) ? new String(Files.readAllBytes(log), StandardCharsets.UTF_8) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String logTail() {
        String text = logText();
        return text.substring(Math.max(0, text.length() - 4_000));
    }

    /** Stops it if it runs, a frozen one too. Idempotent. */
    @Override
    public void close() {
        if (isAlive()) {
            // Fails when it ends at this moment, which is as good.
            boolean _ = sent("CONT", withDescendants());
            running().stop();
        }
    }
}

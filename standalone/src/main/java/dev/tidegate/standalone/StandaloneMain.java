package dev.tidegate.standalone;

import dev.tidegate.backends.Backend;
import dev.tidegate.backends.BackendGroup;
import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.Claim;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.backends.EmbeddedPostgres;
import dev.tidegate.backends.EmbeddedRedis;
import dev.tidegate.backends.Ports;
import dev.tidegate.backends.StartFailure;
import dev.tidegate.gateway.GatewayApplication;
import dev.tidegate.ingest.IngestApplication;
import dev.tidegate.replay.ReplayApplication;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/**
 * {@code ./tidegate up}: the whole of Tidegate, in the foreground until SIGTERM or Ctrl-C.
 *
 * <p>Kafka runs in this JVM, Redis and PostgreSQL as its children, and the three services as sibling Spring contexts: ingest first, because it
 * makes the fan-out topic, then replay and gateway at once. Stopping goes the other way round and takes less than ten seconds.
 */
public final class StandaloneMain {

    private static final Sibling INGEST =
            new Sibling("event-ingest", "TIDEGATE_INGEST_PORT", 8081, IngestApplication::run);
    private static final Sibling REPLAY =
            new Sibling("replay-service", "TIDEGATE_REPLAY_PORT", 8082, ReplayApplication::run);
    private static final Sibling GATEWAY =
            new Sibling("gateway-service", "TIDEGATE_GATEWAY_PORT", 8080, GatewayApplication::run);

    /** With {@code GuardedProcess.STOP_WITHIN} for the backends, less than ten seconds in all. */
    private static final Duration STOP_SERVICES_WITHIN = Duration.ofSeconds(4);

    private final Map<String, String> environment;
    private final DataFolder data;
    private final BackendGroup backends = new BackendGroup();
    private final Services services = new Services();
    private final long begun = System.nanoTime();

    private StandaloneMain(Map<String, String> environment, DataFolder data) {
        this.environment = environment;
        this.data = data;
    }

    /** Runs the command; exit code 2 with one line for what the user can mend. */
    public static void main(String[] arguments) {
        Map<String, String> environment = System.getenv();
        try {
            DataFolder data = DataFolder.open(Path.of(environment.getOrDefault("TIDEGATE_DATA", "data")));
            // Before anything that has a logger is so much as loaded.
            logTo(data);
            new StandaloneMain(environment, data).run();
        } catch (StartFailure e) {
            System.err.println("tidegate: " + e.getMessage());
            System.exit(StartFailure.EXIT_CODE);
        }
    }

    private void run() {
        System.out.println("Tidegate starts (pid " + ProcessHandle.current().pid() + ", data in " + data.path() + ")");
        Runtime.getRuntime().addShutdownHook(new Thread(this::stop, "stop"));

        // Claims first: they end what an earlier run left over, which may hold the ports.
        List<Claim> claims =
                List.of(data.claim(BackendKind.KAFKA), data.claim(BackendKind.REDIS), data.claim(BackendKind.POSTGRES));
        Map<Sibling, Integer> ports = servicePorts();
        int kafka = backendPort(BackendKind.KAFKA);
        int redis = backendPort(BackendKind.REDIS);
        int postgres = backendPort(BackendKind.POSTGRES);

        backends.start(
                List.of(
                        () -> EmbeddedKafka.start(claims.get(0), kafka, Map.of()),
                        () -> EmbeddedRedis.start(claims.get(1), redis, Map.of()),
                        () -> EmbeddedPostgres.start(claims.get(2), postgres, Map.of())),
                this::tellReady);

        Map<String, Object> shared = sharedProperties(ports);
        services.start(List.of(start(INGEST, ports, shared)), this::tellReady);
        services.start(List.of(start(REPLAY, ports, shared), start(GATEWAY, ports, shared)), this::tellReady);
        tellReady(ports);
    }

    /** One logging configuration for the JVM; Spring Boot would set up its own, once for each context. */
    private static void logTo(DataFolder data) {
        System.setProperty("tidegate.logs", data.logs().toString());
        System.setProperty("org.springframework.boot.logging.LoggingSystem", "none");
        if (System.getProperty("logback.configurationFile") == null) {
            System.setProperty("logback.configurationFile", "standalone-logback.xml");
        }
    }

    private Map<Sibling, Integer> servicePorts() {
        String bind = environment.getOrDefault("TIDEGATE_BIND", "0.0.0.0");
        Map<Sibling, Integer> ports = new HashMap<>();
        for (Sibling sibling : List.of(GATEWAY, INGEST, REPLAY)) {
            int port = Ports.of(environment, sibling.portVariable(), sibling.defaultPort());
            Ports.requireFree(sibling.name(), bind, port, sibling.portVariable());
            ports.put(sibling, Ports.orFree(port));
        }
        return ports;
    }

    private int backendPort(BackendKind kind) {
        int port = Ports.of(environment, kind.portVariable(), kind.defaultPort());
        Ports.requireFree(kind.label(), "127.0.0.1", port, kind.portVariable());
        return port;
    }

    private Map<String, Object> sharedProperties(Map<Sibling, Integer> ports) {
        Map<String, Object> properties = new HashMap<>();
        // What an operator would put into the environment.
        backends.running().forEach(backend -> properties.put(backend.kind().addressVariable(), backend.address()));
        ports.forEach((sibling, port) -> properties.put(sibling.addressVariable(), url(port)));
        // The secret between the services; a new one at each start is as good as any, since they start together.
        properties.put(
                "TIDEGATE_SERVICE_TOKEN",
                environment.getOrDefault(
                        "TIDEGATE_SERVICE_TOKEN", UUID.randomUUID().toString()));
        // Standalone is the development profile; whoever wants another starts the services by themselves, or says so.
        properties.put("spring.profiles.active", environment.getOrDefault("TIDEGATE_PROFILE", "dev"));
        properties.put("spring.main.banner-mode", "off");
        // The order of stopping is ours.
        properties.put("spring.main.register-shutdown-hook", "false");
        properties.put("spring.lifecycle.timeout-per-shutdown-phase", "2s");
        properties.put("tidegate.gateway.drain-timeout", "1s");
        return properties;
    }

    private static Services.Start start(Sibling sibling, Map<Sibling, Integer> ports, Map<String, Object> shared) {
        Map<String, Object> properties = new HashMap<>(shared);
        int port = ports.getOrDefault(sibling, sibling.defaultPort());
        properties.put("server.port", port);
        if (!sibling.equals(GATEWAY)) {
            // The page is the gateway's, but lies on everybody's class path.
            properties.put("spring.web.resources.static-locations", "classpath:/no-page-here/");
        }
        return new Services.Start(sibling, port, Map.copyOf(properties));
    }

    private static String url(int port) {
        return "http://127.0.0.1:" + port;
    }

    private void tellReady(Backend backend) {
        tellReady(backend.kind().label(), backend.address());
        var _ = backend.ended().thenAccept(how -> tellEnd(backend, how));
    }

    private void tellReady(Services.Start start) {
        tellReady(start.sibling().name(), url(start.port()));
    }

    private void tellReady(String name, String address) {
        System.out.printf(
                "  %-16s %-48s %5.1f s%n",
                name, address, Duration.ofNanos(System.nanoTime() - begun).toMillis() / 1000.0);
    }

    private void tellReady(Map<Sibling, Integer> ports) {
        String gateway = url(ports.getOrDefault(GATEWAY, GATEWAY.defaultPort()));
        System.out.println("Tidegate is ready: page " + gateway + "/  WebSocket " + gateway.replaceFirst("^http", "ws")
                + "/v1/ws  SSE " + gateway
                + "/v1/sse  ingest " + url(ports.getOrDefault(INGEST, INGEST.defaultPort())) + "  replay "
                + url(ports.getOrDefault(REPLAY, REPLAY.defaultPort())) + "  (Ctrl-C stops it)");
    }

    private void tellEnd(Backend backend, String how) {
        if (backends.isClosing()) {
            return;
        }
        String label = backend.kind().label();
        String wayOut = backend.kind() == BackendKind.KAFKA
                ? "stop and start ./tidegate up"
                : "start it again with ./tidegate backends " + label;
        System.out.println(label + " DIED (" + how + "): " + wayOut);
    }

    private void stop() {
        services.stop(STOP_SERVICES_WITHIN);
        backends.close();
    }
}

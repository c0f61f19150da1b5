package dev.tidegate.testsupport;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.testcontainers.DockerClientFactory;

/** Chooses and holds the JVM's one set of {@link Backends}. */
final class SharedBackends {

    private static @Nullable Backends shared;

    private SharedBackends() {}

    static synchronized Backends get() {
        Backends backends = shared;
        if (backends == null) {
            backends = choose(System.getenv());
            shared = backends;
            System.out.println(
                    "[tests] backends: " + backends.getClass().getSimpleName() + " " + backends.environment());
        }
        return backends;
    }

    private static Backends choose(Map<String, String> environment) {
        String wanted =
                environment.getOrDefault("TIDEGATE_TEST_BACKENDS", "").strip().toLowerCase(Locale.ROOT);
        return switch (wanted) {
            case "embedded" -> EmbeddedBackends.start();
            case "testcontainers" -> ContainerBackends.start();
            case "external" -> ExternalBackends.of(environment);
            case "" -> dockerAnswers(environment) ? ContainerBackends.start() : EmbeddedBackends.start();
            default ->
                throw new IllegalArgumentException(
                        "TIDEGATE_TEST_BACKENDS: " + wanted + " (expected: embedded, testcontainers or external)");
        };
    }

    private static boolean dockerAnswers(Map<String, String> environment) {
        // Asked before Testcontainers is: without an engine it tries every way there is and prints a page about it.
        boolean named = !environment.getOrDefault("DOCKER_HOST", "").isBlank();
        boolean socket = Files.exists(Path.of("/var/run/docker.sock"))
                || Files.exists(Path.of(System.getProperty("user.home"), ".docker", "run", "docker.sock"));
        return (named || socket) && DockerClientFactory.instance().isDockerAvailable();
    }
}

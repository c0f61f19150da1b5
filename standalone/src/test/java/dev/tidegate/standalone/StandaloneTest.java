package dev.tidegate.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.backends.Ports;
import dev.tidegate.testsupport.TidegateClient;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code ./tidegate up} as a process, from its class path. */
@Timeout(600)
class StandaloneTest {

    private static final Duration SOON = Duration.ofMinutes(1);
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    @TempDir
    Path temp;

    private final Map<String, String> environment = new HashMap<>();
    private final List<Process> processes = new ArrayList<>();

    @BeforeEach
    void freePorts() {
        for (String user : new String[] {"GATEWAY", "INGEST", "REPLAY", "KAFKA", "REDIS", "POSTGRES"}) {
            environment.put("TIDEGATE_" + user + "_PORT", Integer.toString(Ports.free()));
        }
        environment.put("TIDEGATE_DATA", temp.resolve("data").toString());
        environment.put("TIDEGATE_BIND", "127.0.0.1");
    }

    @AfterEach
    void endAll() throws InterruptedException {
        for (Process process : processes) {
            process.destroy();
            if (!process.waitFor(20, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        }
    }

    private Path log() {
        return temp.resolve("out-" + processes.size());
    }

    private Process up() throws IOException {
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx768m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseCompactObjectHeaders",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                // The test's own logging configuration is on the class path; an operator's is not.
                "-Dlogback.configurationFile=standalone-logback.xml",
                StandaloneMain.class.getName());
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeIf(name -> name.startsWith("TIDEGATE_"));
        builder.environment().putAll(environment);
        builder.redirectOutput(temp.resolve("out-" + (processes.size() + 1)).toFile());
        Process process = builder.start();
        processes.add(process);
        return process;
    }

    private void awaitReady(Process process) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(240);
        while (!Files.readString(log()).contains("Tidegate is ready")) {
            if (!process.isAlive() || System.nanoTime() > deadline) {
                throw new AssertionError("not ready:\n" + Files.readString(log()));
            }
            process.waitFor(50, TimeUnit.MILLISECONDS);
        }
    }

    private String url(String service) {
        return "http://127.0.0.1:" + environment.get("TIDEGATE_" + service + "_PORT");
    }

    private static HttpResponse<String> post(String url, String json) throws Exception {
        return HTTP.send(
                HttpRequest.newBuilder(URI.create(url))
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofString(json))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @Test
    @DisplayName("one event goes in by HTTP and comes out of a WebSocket; after SIGTERM and a new start it is replayed")
    void upDownUp() throws Exception {
        // given
        Process first = up();
        awaitReady(first);
        String cursor;
        try (TidegateClient client = TidegateClient.at(url("GATEWAY")).connect()) {
            String beginning = client.subscribe("demo:a")
                    .get(60, TimeUnit.SECONDS)
                    .path("cursor")
                    .asString();
            // when
            cursor = beginning;
            // 202: on a slow machine PostgreSQL may not have told yet that nothing is in the spool
            assertThat(post(url("INGEST") + "/v1/channels/demo:a/events", "{\"n\":1}")
                            .statusCode())
                    .isIn(201, 202);
            // then
            client.awaitEvents("demo:a", 1, SOON);
            client.await(
                    "its place in the log", SOON, () -> !beginning.equals(String.valueOf(client.position("demo:a"))));
            assertThat(client.events("demo:a").getFirst().data()).isEqualTo("{\"n\":1}");
            assertThat(client.violations()).isEmpty();
        }
        assertThat(Files.readString(log()).lines().filter(line -> line.startsWith("Tidegate is ready")))
                .singleElement()
                .asString()
                .contains(url("GATEWAY") + "/", "/v1/ws", "/v1/sse", url("INGEST"), url("REPLAY"));

        // when
        List<ProcessHandle> children = first.descendants().collect(Collectors.toList());
        assertThat(children).as("redis and postgres").hasSizeGreaterThanOrEqualTo(2);
        first.destroy();
        // then
        assertThat(first.waitFor(120, TimeUnit.SECONDS)).as("stopped").isTrue();
        assertThat(first.exitValue()).isEqualTo(143);
        for (ProcessHandle child : children) {
            child.onExit().get(60, TimeUnit.SECONDS); // who only watches over another ends a moment later
        }
        assertThat(Files.readAllLines(log())).noneMatch(line -> line.startsWith("\tat "));

        // and given a second start
        Process second = up();
        awaitReady(second);
        try (TidegateClient client = TidegateClient.at(url("GATEWAY")).connect()) {
            client.subscribeAfter("demo:a", cursor).get(60, TimeUnit.SECONDS);
            // then
            client.awaitEvents("demo:a", 1, SOON);
            assertThat(client.events("demo:a").getFirst().replay()).isTrue();
            assertThat(client.violations()).isEmpty();
        }
        // and its children end with it even when it is killed
        List<ProcessHandle> orphans = second.descendants().collect(Collectors.toList());
        second.destroyForcibly().waitFor();
        for (ProcessHandle orphan : orphans) {
            orphan.onExit().get(60, TimeUnit.SECONDS);
        }
    }

    @Test
    @DisplayName("a taken port and a damaged folder are told in one line, and nothing is left running")
    void refusals() throws Exception {
        // given
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            environment.put("TIDEGATE_REPLAY_PORT", Integer.toString(taken.getLocalPort()));
            // then
            assertRefused("port " + taken.getLocalPort() + " for replay-service is taken");
        }
        environment.put("TIDEGATE_REPLAY_PORT", "0");
        // and given
        Files.createDirectories(temp.resolve("data/kafka"));
        Files.writeString(temp.resolve("data/kafka/rubbish"), "x");
        assertRefused("data/kafka is damaged");
        // and given
        environment.put(
                "TIDEGATE_DATA", Files.createDirectory(temp.resolve("other")).toString());
        Files.writeString(temp.resolve("other/somebody"), "x");
        assertRefused("is not Tidegate's");
    }

    private void assertRefused(String why) throws Exception {
        // when
        Process process = up();
        assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
        // then
        assertThat(process.exitValue()).isEqualTo(2);
        List<String> lines = Files.readAllLines(log());
        assertThat(lines)
                .filteredOn(line -> line.startsWith("tidegate: "))
                .singleElement()
                .asString()
                .contains(why);
        assertThat(lines).noneMatch(line -> line.startsWith("\tat ") || line.contains("Exception"));
    }
}

package dev.tidegate.perf.deep;

import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Replay;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;

/** A replay service as a child process, and what is asked of it. Any thread. */
final class ReplayProcess implements AutoCloseable {
    private static final String TOKEN = "perf-deep-service-token";
    private static final Duration WITHIN = Duration.ofMinutes(5);
    private static final long POLL_MILLIS = 50;

    private final Process process;
    private final Path log;
    private final int port;
    private final HttpClient http = HttpClient.newHttpClient();

    /** Starts one with these settings, {@code name=value}, and waits until it is ready. */
    ReplayProcess(Options options, String topic, List<String> settings)
            throws IOException, InterruptedException, TimeoutException {
        try (ServerSocket free = new ServerSocket(0)) {
            port = free.getLocalPort();
        }
        List<String> command = new ArrayList<>(options.service());
        command.add("--server.port=" + port);
        command.add("--server.address=127.0.0.1");
        command.add("--tidegate.kafka.bootstrap-servers=" + options.kafka());
        command.add("--tidegate.fanout.topic=" + topic);
        command.add("--tidegate.auth.service-token=" + TOKEN);
        command.add("--tidegate.namespaces.default.recent=true");
        settings.forEach(s -> command.add("--tidegate." + s));
        log = Files.createTempFile("tidegate-deep-replay", ".log");
        process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        await("the replay service", () -> {
            if (!process.isAlive()) {
                throw new IllegalStateException("the replay service has ended: " + tail());
            }
            return status("/actuator/health/readiness") == 200;
        });
    }

    private String tail() {
        try {
            List<String> lines = Files.readAllLines(log);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 20), lines.size()));
        } catch (IOException e) {
            return String.valueOf(e);
        }
    }

    static void await(String what, BooleanSupplier condition) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + WITHIN.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("waited " + WITHIN.toSeconds() + " s for " + what);
            }
            Thread.sleep(POLL_MILLIS);
        }
    }

    private int status(String path) {
        try {
            return http.send(request(path).build(), HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        } catch (IOException e) {
            return 0;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return 0;
        }
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + path))
                .timeout(WITHIN);
    }

    /** One of its figures, without {@code tidegate_replay_}. */
    double metric(String name) {
        try {
            String wanted = "tidegate_replay_" + name + " ";
            return http.send(request("/actuator/prometheus").build(), HttpResponse.BodyHandlers.ofString())
                    .body()
                    .lines()
                    .filter(l -> l.startsWith(wanted))
                    .mapToDouble(l -> Double.parseDouble(l.substring(wanted.length())))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException("no metric is called " + name));
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** A gateway's call; its answer line by line. */
    List<Replay.Line> replay(List<Replay.Request> requests) throws IOException, InterruptedException {
        FrameBuffer body = new FrameBuffer(1024);
        Replay.encodeRequests(body, requests);
        HttpResponse<String> response = http.send(
                request("/v1/replay")
                        .header("Authorization", "Bearer " + TOKEN)
                        .header("Content-Type", "application/json")
                        .POST(HttpRequest.BodyPublishers.ofByteArray(body.toBytes()))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() != 200) {
            throw new IOException(response.statusCode() + " " + response.body());
        }
        return response.body()
                .lines()
                .map(l -> Replay.decodeLine(l.getBytes(StandardCharsets.UTF_8)))
                .toList();
    }

    /** User and system time so far. */
    double cpuSeconds() {
        return cpuSeconds(process.toHandle());
    }

    static double cpuSeconds(ProcessHandle of) {
        return of.info().totalCpuDuration().orElse(Duration.ZERO).toNanos() / 1e9;
    }

    @Override
    public void close() {
        http.shutdownNow();
        process.destroy();
        try {
            if (!process.waitFor(15, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            Files.deleteIfExists(log);
        } catch (IOException e) {
            System.err.println(log + ": " + e);
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}

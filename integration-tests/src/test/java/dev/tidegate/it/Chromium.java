package dev.tidegate.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Chromium without a window, driven over the DevTools protocol. It ends with this JVM: its standard input is a guard's. Not thread-safe. */
final class Chromium implements AutoCloseable {

    private static final Duration START_WITHIN = Duration.ofSeconds(90);
    private static final Duration ANSWER_WITHIN = Duration.ofMinutes(1);
    private static final List<String> NAMES =
            List.of("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");

    private final dev.tidegate.backends.GuardedProcess process;
    private final Path profile;
    private final WebSocket socket;
    private final Connection connection = new Connection();
    private final AtomicInteger lastId = new AtomicInteger();

    private Chromium(dev.tidegate.backends.GuardedProcess process, Path profile) {
        this.process = process;
        this.profile = profile;
        this.socket = Publisher.HTTP
                .newWebSocketBuilder()
                .buildAsync(endpoint(), connection)
                .orTimeout(ANSWER_WITHIN.toSeconds(), TimeUnit.SECONDS)
                .join();
    }

    /** The browser's program, if this machine has one; {@code TIDEGATE_TEST_BROWSER} names another. */
    static Optional<Path> program() {
        String named = System.getenv("TIDEGATE_TEST_BROWSER");
        if (named != null && !named.isBlank()) {
            return Optional.of(Path.of(named));
        }
        String path = System.getenv().getOrDefault("PATH", "");
        return Stream.of(path.split(":", -1))
                .filter(folder -> !folder.isEmpty())
                .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    static Chromium start(Path program) {
        try {
            Path profile = Files.createTempDirectory("tidegate-browser");
            Path log = Path.of("target", "chromium.log").toAbsolutePath();
            Files.createDirectories(log.getParent());
            List<String> command = new ArrayList<>(List.of(
                    program.toString(),
                    "--headless",
                    "--disable-gpu",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    // /dev/shm is small in containers.
                    "--disable-dev-shm-usage",
                    "--user-data-dir=" + profile,
                    "--remote-debugging-port=0"));
            if ("root".equals(System.getProperty("user.name"))) {
                // Chromium's sandbox does not work for root, as whom containers run; it visits our own pages only.
                command.add("--no-sandbox");
            }
            command.add("about:blank");
            return new Chromium(dev.tidegate.backends.GuardedProcess.start(command, Map.of(), "TERM", log), profile);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where it listens: it writes port and path into its profile once it does. */
    private URI endpoint() {
        Path file = profile.resolve("DevToolsActivePort");
        long deadline = System.nanoTime() + START_WITHIN.toNanos();
        while (true) {
            try {
                List<String> lines = Files.exists(file) ? Files.readAllLines(file) : List.of();
                if (lines.size() >= 2) {
                    return URI.create("ws://127.0.0.1:" + lines.get(0) + lines.get(1));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (!process.isAlive() || System.nanoTime() - deadline > 0) {
                process.stop();
                throw new AssertionError("Chromium did not start: see target/chromium.log");
            }
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
        }
    }

    /** Opens a page in a tab of its own. */
    Page open(String url) {
        String target = call(
                        null,
                        "Target.createTarget",
                        Publisher.JSON.createObjectNode().put("url", "about:blank"))
                .path("targetId")
                .asString();
        String session = call(
                        null,
                        "Target.attachToTarget",
                        Publisher.JSON
                                .createObjectNode()
                                .put("targetId", target)
                                .put("flatten", true))
                .path("sessionId")
                .asString();
        Page page = new Page(session);
        call(session, "Runtime.enable", Publisher.JSON.createObjectNode());
        call(session, "Page.enable", Publisher.JSON.createObjectNode());
        call(session, "Page.navigate", Publisher.JSON.createObjectNode().put("url", url));
        page.await("the page", "location.href !== 'about:blank' && document.readyState === 'complete'");
        return page;
    }

    /** A tab. */
    final class Page {
        private final String session;

        private Page(String session) {
            this.session = session;
        }

        /** The value of a JavaScript expression; a promise is waited for. An exception there is an {@link AssertionError} here. */
        JsonNode evaluate(String expression) {
            JsonNode answer = call(
                    session,
                    "Runtime.evaluate",
                    Publisher.JSON
                            .createObjectNode()
                            .put("expression", expression)
                            .put("returnByValue", true)
                            .put("awaitPromise", true));
            if (answer.has("exceptionDetails")) {
                throw new AssertionError(expression + ": " + answer.path("exceptionDetails"));
            }
            return answer.path("result").path("value");
        }

        /** Waits until an expression is true. */
        void await(String what, String expression) {
            org.awaitility.Awaitility.await(what)
                    .atMost(ANSWER_WITHIN)
                    .until(() -> evaluate("!!(" + expression + ")").asBoolean(false));
        }

        /** What the page wrote to its console as errors, and exceptions nobody caught. */
        List<String> complaints() {
            return connection.events.stream()
                    .filter(event -> event.path("sessionId").asString("").equals(session))
                    .filter(event -> event.path("method").asString("").equals("Runtime.exceptionThrown")
                            || (event.path("method").asString("").equals("Runtime.consoleAPICalled")
                                    && event.path("params")
                                            .path("type")
                                            .asString("")
                                            .equals("error")))
                    .map(JsonNode::toString)
                    .toList();
        }
    }

    private JsonNode call(String session, String method, ObjectNode parameters) {
        int id = lastId.incrementAndGet();
        ObjectNode frame = Publisher.JSON.createObjectNode().put("id", id).put("method", method);
        frame.set("params", parameters);
        if (session != null) {
            frame.put("sessionId", session);
        }
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        connection.asked.put(id, answer);
        try {
            socket.sendText(frame.toString(), true).join();
            JsonNode told = answer.orTimeout(ANSWER_WITHIN.toSeconds(), TimeUnit.SECONDS)
                    .join();
            if (told.has("error")) {
                throw new AssertionError(method + ": " + told.path("error"));
            }
            return told.path("result");
        } catch (CompletionException e) {
            throw new AssertionError(method + ": no answer", e);
        }
    }

    private static final class Connection implements WebSocket.Listener {
        private final Map<Integer, CompletableFuture<JsonNode>> asked = new ConcurrentHashMap<>();
        private final List<JsonNode> events = new CopyOnWriteArrayList<>();
        private final StringBuilder partial = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
            partial.append(data);
            if (last) {
                JsonNode frame = Publisher.JSON.readTree(partial.toString());
                partial.setLength(0);
                CompletableFuture<JsonNode> answer =
                        frame.has("id") ? asked.remove(frame.path("id").asInt()) : null;
                if (answer == null) {
                    events.add(frame);
                } else {
                    answer.complete(frame);
                }
            }
            socket.request(1);
            return null;
        }
    }

    @Override
    public void close() {
        socket.abort();
        process.stop();
        try (Stream<Path> files = Files.walk(profile)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> {
                try {
                    Files.deleteIfExists(file);
                } catch (IOException stillInUse) {
                    // a temporary folder; the next reboot has it
                }
            });
        } catch (IOException | UncheckedIOException stillInUse) {
            // as above
        }
    }
}

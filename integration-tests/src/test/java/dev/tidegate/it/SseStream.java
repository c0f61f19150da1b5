package dev.tidegate.it;

import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import tools.jackson.databind.JsonNode;

/**
 * An event stream read as a browser's {@code EventSource} reads it (HTML standard, 9.2.6): blocks of {@code event}, {@code data} and {@code id},
 * of which a block without data fires nothing but moves the last event id on. Reading has a thread of its own.
 */
final class SseStream implements AutoCloseable {

    private final HttpResponse<InputStream> response;
    private final List<Block> blocks = new CopyOnWriteArrayList<>();
    private volatile String lastEventId = "";
    private volatile boolean ended;

    /** What fires an event. */
    record Block(String event, String data, String id) {
        JsonNode frame() {
            return Publisher.JSON.readTree(data);
        }
    }

    private SseStream(HttpResponse<InputStream> response) {
        this.response = response;
    }

    /** Opens a stream; {@code headers} are names and values in turn, e.g. {@code Last-Event-ID}. */
    static SseStream open(String url, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).header("Accept", "text/event-stream");
        if (headers.length > 0) {
            request.headers(headers);
        }
        try {
            HttpResponse<InputStream> response =
                    Publisher.HTTP.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
            if (response.statusCode() != 200) {
                throw new AssertionError("event stream refused: " + response.statusCode() + " "
                        + new String(response.body().readAllBytes(), StandardCharsets.UTF_8));
            }
            SseStream stream = new SseStream(response);
            Thread.ofVirtual().name("sse").start(stream::read);
            return stream;
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    private void read() {
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(response.body(), StandardCharsets.UTF_8))) {
            String event = "message";
            StringBuilder data = new StringBuilder();
            String id = lastEventId;
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                if (line.isEmpty()) {
                    lastEventId = id;
                    if (!data.isEmpty()) {
                        blocks.add(new Block(event, data.substring(0, data.length() - 1), id));
                    }
                    event = "message";
                    data.setLength(0);
                    continue;
                }
                int colon = line.indexOf(':');
                String field = colon < 0 ? line : line.substring(0, colon);
                String value = colon < 0 ? "" : line.substring(colon + 1).replaceFirst("^ ", "");
                switch (field) {
                    case "event" -> event = value;
                    case "data" -> data.append(value).append('\n');
                    case "id" -> id = value;
                    default -> {
                        // comments are heartbeats
                    }
                }
            }
        } catch (IOException cut) {
            // by us or by the server
        } finally {
            ended = true;
        }
    }

    /** Waits for the first token: from then on nothing is missed. */
    void awaitOpen() {
        await("the stream's first id").atMost(Answers.WITHIN).until(() -> !lastEventId.isEmpty());
    }

    /** Waits until so many events have come; gaps and errors are none. */
    void awaitEvents(int count) {
        await(count + " events").atMost(Answers.WITHIN).until(() -> events().size() >= count);
    }

    /** All blocks that fire something. */
    List<Block> blocks() {
        return List.copyOf(blocks);
    }

    /** Those of them that are events of channels. */
    List<Block> events() {
        return blocks.stream()
                .filter(block -> block.frame().path("op").asString("").equals("event"))
                .toList();
    }

    /** What a browser would send as {@code Last-Event-ID}. */
    String lastEventId() {
        return lastEventId;
    }

    /** Whether it is over, by whomever. */
    boolean hasEnded() {
        return ended;
    }

    String contentType() {
        return response.headers().firstValue("content-type").orElse("");
    }

    /** Hangs up and waits until the last of what has come is read: from then on blocks and last event id stand still. */
    void hangUp() {
        close();
        await("the end of the stream").atMost(Answers.WITHIN).until(this::hasEnded);
    }

    /** Hangs up. */
    @Override
    public void close() {
        try {
            response.body().close();
        } catch (IOException alreadyGone) {
            // as good
        }
    }
}

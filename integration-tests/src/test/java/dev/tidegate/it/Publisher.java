package dev.tidegate.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Calls event-ingest over HTTP. Any thread. */
final class Publisher {

    static final JsonMapper JSON = JsonMapper.builder().build();

    private static final Duration ANSWER_WITHIN = Duration.ofMinutes(1);
    static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(30))
            .build();

    private final String url;

    Publisher(String url) {
        this.url = url;
    }

    /**
     * An HTTP answer.
     *
     * @param text the body as it came
     * @param body the body as JSON; a missing node when it is none
     */
    record Answer(int status, HttpHeaders headers, String text, JsonNode body) {
        static Answer of(HttpResponse<String> response) {
            String type = response.headers().firstValue("content-type").orElse("");
            JsonNode body = type.contains("json") && !type.contains("ndjson")
                    ? JSON.readTree(response.body())
                    : JSON.missingNode();
            return new Answer(response.statusCode(), response.headers(), response.body(), body);
        }

        String code() {
            return body.path("code").asString("");
        }

        String id() {
            return body.path("id").asString("");
        }

        String cursor() {
            return body.path("cursor").asString("");
        }

        String header(String name) {
            return headers.firstValue(name).orElse("");
        }
    }

    /** Publishes JSON; {@code headers} are names and values in turn. Whatever the answer is. */
    Answer publish(String channel, String json, String... headers) {
        return publish(channel, "application/json", json.getBytes(StandardCharsets.UTF_8), headers);
    }

    Answer publish(String channel, String contentType, byte[] body, String... headers) {
        return post(
                "/v1/channels/" + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events",
                contentType,
                body,
                headers);
    }

    /** Publishes JSON that must be stored. */
    Answer stored(String channel, String json) {
        Answer answer = publish(channel, json);
        if (answer.status() != 201) {
            throw new AssertionError("expected 201, got " + answer);
        }
        return answer;
    }

    Answer post(String path, String contentType, byte[] body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
                .timeout(ANSWER_WITHIN)
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        if (contentType != null) {
            request.header("Content-Type", contentType);
        }
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request.build());
    }

    /** Any request to anywhere. */
    static Answer send(HttpRequest request) {
        try {
            return Answer.of(HTTP.send(request, HttpResponse.BodyHandlers.ofString(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    static Answer get(String url, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url)).timeout(ANSWER_WITHIN);
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request.build());
    }
}

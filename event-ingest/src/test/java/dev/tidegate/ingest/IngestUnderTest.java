package dev.tidegate.ingest;

import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Topics;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The whole service on a free port, against real backends, and the calls that tests make. */
final class IngestUnderTest implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(Duration.ofSeconds(30))
            .build();

    final String topic;
    final String kafka;
    private final ConfigurableApplicationContext context;

    private IngestUnderTest(String topic, String kafka, ConfigurableApplicationContext context) {
        this.topic = topic;
        this.kafka = kafka;
        this.context = context;
    }

    /** With the development profile, the shared backends, and a topic of its own. */
    static IngestUnderTest start(Map<String, Object> overrides) {
        return start(Backends.unique("fanout"), overrides);
    }

    static IngestUnderTest start(String topic, Map<String, Object> overrides) {
        Map<String, Object> all = properties(topic);
        all.putAll(overrides);
        ConfigurableApplicationContext context = IngestApplication.run(all);
        awaitDirect(context);
        return new IngestUnderTest(topic, (String) all.get("tidegate.kafka.bootstrap-servers"), context);
    }

    /** The service itself waits less long for PostgreSQL to say that nothing is in the spool, and then spools. */
    private static void awaitDirect(ConfigurableApplicationContext context) {
        try {
            context.getBean(Deliveries.class).awaitDirect(Duration.ofSeconds(60));
        } catch (InterruptedException e) {
            context.close();
            throw new IllegalStateException(e);
        }
    }

    static Map<String, Object> properties(String topic) {
        Map<String, Object> all = new HashMap<>();
        all.put("spring.profiles.active", "dev");
        all.put("server.port", 0);
        all.put("server.address", "127.0.0.1");
        all.put("server.shutdown", "immediate");
        all.put("tidegate.kafka.bootstrap-servers", Backends.shared().kafka());
        all.put("tidegate.redis.url", Backends.shared().redis());
        all.put("tidegate.postgres.url", Backends.shared().postgres());
        all.put("tidegate.fanout.topic", topic);
        all.put("tidegate.fanout.partitions", 4);
        all.put("tidegate.rehome.group", "rehome-" + topic);
        // A slow moment of this machine is no outage of Kafka or Redis, unless a test says so.
        all.put("tidegate.ingest.publish.delivery-timeout", "30s");
        all.put("tidegate.ingest.redis.timeout", "30s");
        all.put("tidegate.ingest.idempotency.redis-timeout", "10s");
        all.put("tidegate.ingest.idempotency.in-flight-wait", "30s");
        return all;
    }

    int port() {
        return context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    /** An answer. */
    record Answer(int status, HttpResponse<byte[]> http) {
        String text() {
            return new String(http.body(), StandardCharsets.UTF_8);
        }

        JsonNode json() {
            return JSON.readTree(http.body());
        }

        String json(String member) {
            return json().path(member).asString();
        }

        String header(String name) {
            return http.headers().firstValue(name).orElse(null);
        }
    }

    Answer post(String path, String contentType, byte[] body, String... headers) {
        return postLater(path, contentType, body, headers).join();
    }

    CompletableFuture<Answer> postLater(String path, String contentType, byte[] body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofByteArray(body));
        if (contentType != null) {
            request.header("Content-Type", contentType);
        }
        if (headers.length > 0) {
            request.headers(headers);
        }
        return HTTP.sendAsync(request.build(), HttpResponse.BodyHandlers.ofByteArray())
                .thenApply(r -> new Answer(r.statusCode(), r));
    }

    /** The status of a JSON body's post, to a service that may not be there yet. */
    static int status(String url, String json) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .header("Content-Type", "application/json")
                .timeout(Duration.ofSeconds(60))
                .POST(HttpRequest.BodyPublishers.ofString(json))
                .build();
        return HTTP.send(request, HttpResponse.BodyHandlers.discarding()).statusCode();
    }

    Answer json(String path, String json, String... headers) {
        return post(path, "application/json", json.getBytes(StandardCharsets.UTF_8), headers);
    }

    /** Publishes to a channel whose name needs no encoding. */
    Answer publish(String channel, String json, String... headers) {
        return json("/v1/channels/" + channel + "/events", json, headers);
    }

    Answer get(String path) {
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port() + path))
                .build();
        return HTTP.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
                .thenApply(r -> new Answer(r.statusCode(), r))
                .join();
    }

    /** The value of a metric by its name and tags as Prometheus reads them; 0 if it is not there. */
    double metric(String series) {
        return get("/actuator/prometheus")
                .text()
                .lines()
                .filter(l -> l.startsWith(series + " "))
                .mapToDouble(l -> Double.parseDouble(l.substring(series.length() + 1)))
                .findFirst()
                .orElse(0);
    }

    /** Everything in the topic now, partition by partition, as a reader of committed records sees it. */
    List<ConsumerRecord<byte[], byte[]>> records() {
        return Topics.records(kafka, topic);
    }

    static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null ? null : new String(header.value(), StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    static Admin admin(String kafka) {
        return Admin.create(Map.of("bootstrap.servers", kafka));
    }

    @Override
    public void close() {
        context.close();
    }
}

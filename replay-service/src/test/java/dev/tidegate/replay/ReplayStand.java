package dev.tidegate.replay;

import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Replay;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Topics;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;
import org.springframework.context.ConfigurableApplicationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A topic of its own in the shared Kafka, a replay service that reads it, and what a test does with both. */
final class ReplayStand implements AutoCloseable {
    static final int PARTITIONS = 3;
    static final String SERVICE_TOKEN = "test-service-token";
    static final JsonMapper JSON = new JsonMapper();
    /** For what must come: a bound, not a claim. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    final String topic;
    final Admin admin;
    final KafkaProducer<byte[], byte[]> producer;
    final HttpClient http = HttpClient.newHttpClient();
    private final String kafka;
    private ConfigurableApplicationContext service;

    /** An event to be published. */
    record Sent(String channel, Cursor cursor) {}

    /** The answer to one request of a call. */
    record Answered(List<Replay.Line.Event> events, List<Replay.Line.GapLine> gaps, Replay.End end, String endLine) {
        List<Long> offsets() {
            return events.stream().map(e -> e.cursor().offset()).toList();
        }
    }

    ReplayStand() {
        this(Backends.shared().kafka());
    }

    ReplayStand(String kafka) {
        this(kafka, Backends.unique("fanout"), true);
    }

    /** One more instance on the topic of another. */
    ReplayStand(ReplayStand of) {
        this(of.kafka, of.topic, false);
    }

    private ReplayStand(String kafka, String topic, boolean ownTopic) {
        this.kafka = kafka;
        this.topic = topic;
        this.admin = Admin.create(Map.of("bootstrap.servers", kafka));
        this.producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", kafka, "linger.ms", "5"),
                new ByteArraySerializer(),
                new ByteArraySerializer());
        if (ownTopic) {
            createTopic();
        }
    }

    void createTopic() {
        try {
            Topics.create(admin, new NewTopic(topic, PARTITIONS, (short) 1));
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    void deleteTopic() {
        get(admin.deleteTopics(List.of(topic)).all().toCompletionStage().toCompletableFuture());
        await().atMost(PATIENCE).until(() -> {
            try {
                admin.describeTopics(List.of(topic)).allTopicNames().get();
                return false;
            } catch (ExecutionException e) {
                return e.getCause() instanceof UnknownTopicOrPartitionException;
            }
        });
    }

    ReplayStand start(Object... settings) {
        Map<String, Object> all = new HashMap<>(Map.of(
                "server.port", 0,
                "server.address", "127.0.0.1",
                "tidegate.kafka.bootstrap-servers", kafka,
                "tidegate.postgres.url", "",
                "tidegate.fanout.topic", topic,
                "tidegate.auth.service-token", SERVICE_TOKEN,
                "tidegate.replay.topic-check", "200ms",
                "tidegate.replay.recent.bytes", "8MB",
                "spring.profiles.active", "dev",
                "tidegate.replay.max-wait", "30s"));
        for (int i = 0; i < settings.length; i += 2) {
            all.put((String) settings[i], settings[i + 1]);
        }
        service = ReplayApplication.run(all);
        return this;
    }

    ReplayStand startReady(Object... settings) {
        start(settings);
        awaitReady();
        return this;
    }

    void awaitReady() {
        await().atMost(PATIENCE).until(() -> status("/actuator/health/readiness") == 200);
    }

    void stop() {
        if (service != null) {
            service.close();
            service = null;
        }
    }

    <T> T bean(Class<T> type) {
        return service.getBean(type);
    }

    int port() {
        return Integer.parseInt(service.getEnvironment().getRequiredProperty("local.server.port"));
    }

    URI uri(String path) {
        return URI.create("http://127.0.0.1:" + port() + path);
    }

    // ---- Kafka

    static int partitionOf(String channel) {
        return Utils.toPositive(Utils.murmur2(channel.getBytes(StandardCharsets.US_ASCII))) % PARTITIONS;
    }

    /** A channel of that partition. */
    static String channelIn(int partition, String name) {
        for (int i = 0; ; i++) {
            String channel = name + "-" + i;
            if (partitionOf(channel) == partition) {
                return channel;
            }
        }
    }

    String epoch() {
        try {
            Uuid id = admin.describeTopics(List.of(topic))
                    .allTopicNames()
                    .get()
                    .get(topic)
                    .topicId();
            return dev.tidegate.protocol.Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits());
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    Cursor publish(String channel, String json) {
        return publishAll(channel, List.of(json)).getFirst();
    }

    /** Publishes JSON documents to a channel, in order; returns their cursors. */
    List<Cursor> publishAll(String channel, List<String> payloads) {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (String payload : payloads) {
            sent.add(producer.send(new ProducerRecord<>(
                    topic, channel.getBytes(StandardCharsets.US_ASCII), payload.getBytes(StandardCharsets.UTF_8))));
        }
        producer.flush();
        String epoch = epoch();
        return sent.stream()
                .map(f -> {
                    RecordMetadata m = get(f);
                    return new Cursor(epoch, m.partition(), m.offset());
                })
                .toList();
    }

    List<Cursor> publishMany(String channel, int n) {
        List<String> payloads = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            payloads.add("{\"n\":" + i + "}");
        }
        return publishAll(channel, payloads);
    }

    void deleteRecordsBefore(int partition, long offset) {
        get(admin.deleteRecords(Map.of(new TopicPartition(topic, partition), RecordsToDelete.beforeOffset(offset)))
                .all()
                .toCompletionStage()
                .toCompletableFuture());
    }

    static <T> T get(Future<T> f) {
        try {
            return f.get();
        } catch (ExecutionException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- HTTP

    int status(String path) {
        return get(path).statusCode();
    }

    HttpResponse<String> get(String path, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(90));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request.build());
    }

    HttpResponse<String> post(String body, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri("/v1/replay"))
                .timeout(Duration.ofSeconds(90))
                .POST(HttpRequest.BodyPublishers.ofString(body));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return send(request.build());
    }

    HttpResponse<String> send(HttpRequest request) {
        try {
            return http.send(request, HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    JsonNode history(String channel, String query) {
        HttpResponse<String> response = get(path(channel) + query);
        if (response.statusCode() != 200) {
            throw new AssertionError(response.statusCode() + " " + response.body());
        }
        return JSON.readTree(response.body());
    }

    static String path(String channel) {
        return "/v1/channels/" + URLEncoder.encode(channel, StandardCharsets.UTF_8) + "/events";
    }

    Replay.Request after(String channel, Cursor after, long upTo) {
        return after(channel, after, upTo, Integer.MAX_VALUE);
    }

    Replay.Request after(String channel, Cursor after, long upTo, int limit) {
        return new Replay.Request(new ChannelName(channel), after, -1, epoch(), partitionOf(channel), upTo, limit);
    }

    Replay.Request last(String channel, int n, long upTo) {
        return new Replay.Request(
                new ChannelName(channel), null, n, epoch(), partitionOf(channel), upTo, Integer.MAX_VALUE);
    }

    /** The gateway's call. */
    List<Answered> replay(Replay.Request... requests) {
        return replay(List.of(requests));
    }

    List<Answered> replay(List<Replay.Request> requests) {
        FrameBuffer body = new FrameBuffer(1024);
        Replay.encodeRequests(body, requests);
        HttpResponse<String> response =
                post(body.toText(), "Authorization", "Bearer " + SERVICE_TOKEN, "Content-Type", "application/json");
        if (response.statusCode() != 200) {
            throw new AssertionError(response.statusCode() + " " + response.body());
        }
        return parse(response.body());
    }

    static List<Answered> parse(String body) {
        List<Answered> answers = new ArrayList<>();
        List<Replay.Line.Event> events = new ArrayList<>();
        List<Replay.Line.GapLine> gaps = new ArrayList<>();
        for (String line : body.lines().toList()) {
            switch (Replay.decodeLine(line.getBytes(StandardCharsets.UTF_8))) {
                case Replay.Line.Event e -> events.add(e);
                case Replay.Line.GapLine g -> gaps.add(g);
                case Replay.Line.Ended e -> {
                    answers.add(new Answered(List.copyOf(events), List.copyOf(gaps), e.end(), line));
                    events.clear();
                    gaps.clear();
                }
            }
        }
        if (!events.isEmpty()) {
            throw new AssertionError("events without an end line");
        }
        return answers;
    }

    double metric(String name) {
        String body = get("/actuator/prometheus").body();
        return body.lines()
                .filter(l -> l.startsWith(name + " ") || l.startsWith(name + "{"))
                .mapToDouble(l -> Double.parseDouble(l.substring(l.lastIndexOf(' ') + 1)))
                .sum();
    }

    @Override
    public void close() {
        stop();
        producer.close(Duration.ZERO);
        admin.close(Duration.ZERO);
        http.shutdownNow();
    }
}

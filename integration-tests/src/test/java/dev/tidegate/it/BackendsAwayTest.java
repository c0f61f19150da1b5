package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Kafka, Redis and PostgreSQL die one after the other: see the failure table in the design. */
@Timeout(300)
class BackendsAwayTest {

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private static ServiceProcess kafka;
    private static ServiceProcess redis;
    private static ServiceProcess postgres;
    private static Services services;

    @BeforeAll
    static void start() {
        Path data = Path.of("target", "backends-away-" + ProcessHandle.current().pid());
        kafka = ServiceProcess.of(Kind.KAFKA).data(data).launch();
        redis = ServiceProcess.of(Kind.REDIS).data(data).launch();
        postgres = ServiceProcess.of(Kind.POSTGRES).data(data).launch();
        Map<String, String> addresses = new LinkedHashMap<>();
        for (ServiceProcess backend : List.of(kafka, redis, postgres)) {
            backend.awaitReady();
            addresses.putAll(backend.address());
        }
        services = Services.on(addresses, "away")
                .gatewayProperty("tidegate.auth.hs256-secret", Tokens.SECRET)
                .start();
    }

    /** Whatever another test left dead is brought back, and services may take a few seconds to see it. */
    @BeforeEach
    void whole() {
        for (ServiceProcess backend : List.of(kafka, redis, postgres)) {
            if (!backend.isAlive()) {
                backend.start();
            }
        }
        services.awaitReady();
        // Ready is also who spools, and who delivers from Redis.
        String channel = Backends.unique("chat:whole");
        try (TidegateClient probe = connect("probe")) {
            answer(probe.subscribe(channel));
            await("events go to Kafka, and come from there")
                    .atMost(WITHIN)
                    .until(() -> services.publisher().publish(channel, "1").status() == 201
                            && probe.events(channel).stream().anyMatch(event -> event.cursor() != null));
        }
    }

    @AfterAll
    static void stop() {
        Stream.of(services, redis, postgres, kafka).forEach(started -> {
            if (started != null) {
                try {
                    started.close();
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
            }
        });
    }

    private static TidegateClient connect(String name) {
        return TidegateClient.at(services.gateway().url()).name(name).connect();
    }

    @Test
    @DisplayName("Kafka is killed and started on the same data: live goes on by itself, nothing acknowledged is lost")
    void kafkaRestarted() {
        List<String> channels = IntStream.range(0, 8)
                .mapToObj(i -> "chat:" + Backends.unique("kafka") + "." + i)
                .toList();
        String gateway = services.gateway().url();
        // given
        try (Crowd crowd = new Crowd(16, channels, _ -> () -> gateway);
                Traffic traffic = Traffic.on(services.publisher(), services.topic(), channels)) {
            await("events").atMost(WITHIN).until(() -> traffic.acknowledged() >= 100);
            // when
            kafka.kill();
            await("events are spooled")
                    .atMost(WITHIN)
                    .until(() ->
                            services.publisher().publish("chat:spooled", "1").status() == 202);
            int before = traffic.acknowledged();
            kafka.start();
            // then
            await("events again").atMost(Topic.WITHIN).until(() -> traffic.acknowledged() >= before + 100);
            traffic.stop();
            await("the spool is empty")
                    .atMost(WITHIN)
                    .until(() ->
                            services.publisher().publish("chat:spooled", "2").status() == 201);
            crowd.assertHas(Crowd.checkedLog(services.topic(), channels, traffic.acknowledged()));
            assertThat(crowd.clients())
                    .allSatisfy(client -> assertThat(client.connects()).isEqualTo(1));
        }
    }

    @Test
    @DisplayName(
            "Redis is killed: events go on, idempotency keys are remembered locally; when it is back, by all again")
    void redisAway() {
        String channel = Backends.unique("chat:redis");
        Publisher publisher = services.publisher();
        try (TidegateClient client = connect("subscriber")) {
            answer(client.subscribe(channel));
            answer(client.ask(TidegateClient.frame("presence").put("channel", channel)));
            // when
            redis.kill();
            // then
            await("presence to be unavailable")
                    .atMost(WITHIN)
                    .until(() -> client.ask(TidegateClient.frame("presence").put("channel", channel))
                            .handle((frame, e) -> e instanceof TidegateClient.AnsweredWithError error
                                    && error.code().equals("unavailable"))
                            .join());
            Publisher.Answer first = publisher.publish(channel, "{\"n\":0}", "Idempotency-Key", "a");
            Publisher.Answer again = publisher.publish(channel, "{\"n\":0}", "Idempotency-Key", "a");
            publisher.stored(channel, "{\"n\":1}");
            assertThat(first.status()).as("%s", first).isEqualTo(201);
            assertThat(first.header("Tidegate-Idempotency")).isEqualTo("local");
            assertThat(again.status()).as("%s", again).isEqualTo(200);
            assertThat(again.text()).isEqualTo(first.text());
            client.awaitEvents(channel, 2, WITHIN);
            // and
            redis.start();
            await("keys are shared again")
                    .atMost(WITHIN)
                    .until(() -> publisher
                            .publish(channel, "{\"n\":2}", "Idempotency-Key", Backends.unique("b"))
                            .header("Tidegate-Idempotency")
                            .equals("shared"));
            await("presence of an empty Redis")
                    .atMost(WITHIN)
                    .until(() -> client.ask(TidegateClient.frame("presence").put("channel", channel))
                            .handle((frame, away) ->
                                    away == null && frame.path("count").asInt() == 1)
                            .join());
            assertThat(client.events(channel)).extracting(ReceivedEvent::data).startsWith("{\"n\":0}", "{\"n\":1}");
            assertThat(client.violations()).isEmpty();
            assertThat(client.connects()).isEqualTo(1);
        }
    }

    @Test
    @DisplayName(
            "a durable cursor brings a client back without one; PostgreSQL is killed: 'pending', and whole when it is back")
    void durableCursor() {
        String channel = Backends.unique("orders:durable");
        String subject = Backends.unique("ann");
        Publisher publisher = services.publisher();
        // given: three events, of which two are acknowledged
        try (TidegateClient first = connectAs(subject)) {
            JsonNode subscribed = answer(first.subscribeDurable(channel, "phone"));
            assertThat(subscribed.path("recovery").asString()).isEqualTo("none");
            for (int i = 0; i < 3; i++) {
                publisher.stored(channel, Integer.toString(i));
            }
            first.awaitEvents(channel, 3, WITHIN);
            acknowledge(first, subject, channel, 1);
        }
        publisher.stored(channel, "3");

        // when
        try (TidegateClient back = connectAs(subject)) {
            JsonNode subscribed = answer(back.subscribeDurable(channel, "phone"));

            // then
            assertThat(subscribed.path("recovery").asString()).isEqualTo("complete");
            back.awaitEvents(channel, 2, WITHIN);
            assertThat(back.events(channel)).extracting(ReceivedEvent::data).containsExactly("2", "3");
            assertThat(back.violations()).isEmpty();
            acknowledge(back, subject, channel, 0);

            // when
            postgres.kill();
            publisher.stored(channel, "4");
            back.awaitEvents(channel, 3, WITHIN);
            back.ack(channel, "phone", back.position(channel).toString());

            // then
            await("an error")
                    .atMost(WITHIN)
                    .until(() -> back.errors().stream()
                            .anyMatch(e -> e.path("code").asString().equals("unavailable")));
        }
        try (TidegateClient held = connectAs(subject)) {
            JsonNode subscribed = answer(held.subscribeDurable(channel, "phone"));
            publisher.stored(channel, "5");
            assertThat(subscribed.path("recovery").asString()).isEqualTo("pending");
            assertThat(answer(held.ping()).path("op").asString()).isEqualTo("pong");
            assertThat(held.eventCount(channel)).isZero();

            // and when it is back
            postgres.start();
            held.awaitEvents(channel, 3, WITHIN);
            assertThat(held.events(channel)).extracting(ReceivedEvent::data).containsExactly("3", "4", "5");
            acknowledge(held, subject, channel, 2);
            assertThat(held.violations()).isEmpty();
        }
    }

    private static TidegateClient connectAs(String subject) {
        return TidegateClient.at(services.gateway().url())
                .name(subject)
                .token(Tokens.hs256(Tokens.SECRET, Tokens.claims(subject, Duration.ofHours(1))))
                .connect();
    }

    /** Acknowledges the n-th event that the client has, and waits until operators see it. */
    private static void acknowledge(TidegateClient client, String subject, String channel, int n) {
        String cursor = client.events(channel).get(n).cursor().toString();
        client.ack(channel, "phone", cursor);
        HttpRequest list = HttpRequest.newBuilder(
                        URI.create(services.replay().url() + "/v1/cursors?subject=" + subject))
                .header("Authorization", "Bearer dev-service-token")
                .build();
        await("the cursor to be stored")
                .atMost(WITHIN)
                .until(() -> HTTP.send(list, HttpResponse.BodyHandlers.ofString())
                        .body()
                        .contains("\"cursor\":\"" + cursor + "\""));
    }

    @Test
    @DisplayName("PostgreSQL is killed: publishing, live and replay go on, and every service stays ready")
    void postgresAway() {
        String channel = Backends.unique("chat:postgres");
        try (TidegateClient client = connect("subscriber")) {
            String start = answer(client.subscribe(channel)).path("cursor").asString();
            // when
            postgres.kill();
            // then
            for (int i = 0; i < 5; i++) {
                services.publisher().stored(channel, Integer.toString(i));
            }
            client.awaitEvents(channel, 5, WITHIN);
            try (TidegateClient back = connect("back")) {
                answer(back.subscribeAfter(channel, start));
                back.awaitEvents(channel, 5, WITHIN);
                assertThat(back.violations()).isEmpty();
            }
            assertThat(client.violations()).isEmpty();
            assertThat(List.of(services.ingest(), services.replay(), services.gateway()))
                    .allMatch(ServiceProcess::isReady);
        }
    }
}

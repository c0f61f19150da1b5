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
import java.nio.file.Path;
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

/** Kafka, Redis and PostgreSQL die one after the other: see the failure table in the design. */
@Timeout(300)
class BackendsAwayTest {

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
        services = Services.on(addresses, "away").start();
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
            await("a publisher is told that Kafka is away")
                    .atMost(WITHIN)
                    .until(() ->
                            services.publisher().publish("chat:refused", "1").status() == 503);
            int before = traffic.acknowledged();
            kafka.start();
            // then
            await("events again").atMost(Topic.WITHIN).until(() -> traffic.acknowledged() >= before + 100);
            traffic.stop();
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
            // when
            redis.kill();
            // then
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
            assertThat(client.events(channel)).extracting(ReceivedEvent::data).startsWith("{\"n\":0}", "{\"n\":1}");
            assertThat(client.violations()).isEmpty();
            assertThat(client.connects()).isEqualTo(1);
        }
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

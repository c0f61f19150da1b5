package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.TidegateClient;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.node.ObjectNode;

/** The design's failure table, row by row, on three brokers, Redis, PostgreSQL, ingest, replay and two gateways: see {@link Outage}. */
@Timeout(720)
class FailureTableTest {

    private final FailureStand stand = FailureStand.whole();
    private final Services services = stand.services();

    @Test
    @DisplayName("one Kafka broker is killed: nothing is lost, live goes on once its partitions are led by another")
    void oneBroker() {
        ServiceProcess broker = stand.kafka().brokers().getFirst();
        Outage.of("one Kafka broker", services)
                .live()
                .untilSpooled()
                .run(broker::kill, broker::start)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName("Redis is killed: live goes on over Kafka, publishers go on")
    void redis() {
        Outage.of("Redis", services)
                .live()
                .run(stand.redis()::kill, stand.redis()::start)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName("PostgreSQL is killed: live goes on, publishers go on, and every service stays ready")
    void postgres() {
        Outage.of("PostgreSQL", services)
                .live()
                // Asked again: a probe that is late on a busy machine is no service that is not ready.
                .during(() -> await("every service is ready")
                        .atMost(WITHIN)
                        .until(() -> Stream.of(
                                        services.ingest(), services.replay(), services.gateway(0), services.gateway(1))
                                .allMatch(ServiceProcess::isReady)))
                .run(stand.postgres()::kill, stand.postgres()::start)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName(
            "the replay service is killed: live goes on, who comes back waits for it, new subscriptions work meanwhile")
    void replay() {
        Outage.of("replay service", services)
                .live()
                .during(() -> {
                    String channel = Backends.unique("demo:new");
                    try (TidegateClient fresh =
                            TidegateClient.at(services.gateway().url()).connect()) {
                        answer(fresh.subscribe(channel));
                        services.publisher().stored(channel, "1");
                        fresh.awaitEvents(channel, 1, WITHIN);
                    }
                })
                .run(services.replay()::kill, services.replay()::start)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName("one of two gateways is killed: its clients go on with the other, whose own clients notice nothing")
    void oneGateway() {
        List<String> gateways =
                List.of(services.gateway(0).url(), services.gateway(1).url());
        Outage.of("one gateway", services)
                .live()
                .gateway(i -> Crowd.inTurn(i, gateways))
                .untouched(i -> i % 2 == 0)
                .run(services.gateway(1)::kill, services.gateway(1)::start)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName("Redis is two seconds late for one gateway: its copies come after the records, and nobody sees them")
    void redisLate() {
        Outage.of("Redis late by 2 s for one gateway", services)
                .live()
                .watched(i -> i % 2 == 1)
                .run(
                        () -> stand.redisLink()
                                .delay(FaultyLink.Direction.TO_CLIENT, Duration.ofSeconds(2), Duration.ofMillis(500)),
                        stand.redisLink()::pass)
                .assertWhole()
                .assertTaken()
                .assertLive();
    }

    @Test
    @DisplayName("all of Kafka is killed: live goes on over Redis, publishers get 202, the spool is relayed in order")
    void kafka() {
        assertLiveOverRedis(Outage.of("all of Kafka", services)
                .live()
                .untilSpooled()
                .during(() -> assertEphemeral(services.gateway(0)))
                .afterwards(this::spoolEmpties)
                .run(stand.kafka()::kill, stand.kafka()::start));
    }

    @Test
    @DisplayName("all of Kafka stands still and refuses nothing: the same")
    void kafkaFrozen() {
        assertLiveOverRedis(Outage.of("all of Kafka, frozen", services)
                .live()
                .untilSpooled()
                .afterwards(this::spoolEmpties)
                .run(
                        () -> stand.kafka().brokers().forEach(ServiceProcess::freeze),
                        () -> stand.kafka().brokers().forEach(ServiceProcess::thaw)));
    }

    @Test
    @DisplayName("Kafka and Redis are killed: live stops, publishers get 202, and in the end everybody has everything")
    void kafkaAndRedis() {
        OutageReport report = Outage.of("Kafka and Redis", services)
                .untilSpooled()
                .afterwards(this::spoolEmpties)
                .run(
                        () -> {
                            stand.kafka().kill();
                            stand.redis().kill();
                        },
                        () -> {
                            stand.redis().start();
                            stand.kafka().start();
                        })
                .assertWhole()
                .assertTaken();
        assertThat(report.answered("202")).isPositive();
    }

    @Test
    @DisplayName(
            "Kafka and PostgreSQL are killed: 503 with Retry-After, and what is published again afterwards is there once")
    void kafkaAndPostgres() {
        OutageReport report = Outage.of("Kafka and PostgreSQL", services)
                .untilSpooled()
                .during(() -> {
                    Publisher.Answer refused = services.publisher().publish(Backends.unique("demo:refused"), "1");
                    assertThat(refused.status()).as("%s", refused).isEqualTo(503);
                    assertThat(refused.header("Retry-After")).matches("[1-9][0-9]*");
                    assertEphemeral(services.gateway(0));
                })
                .afterwards(this::spoolEmpties)
                .run(
                        () -> {
                            stand.kafka().kill();
                            stand.postgres().kill();
                        },
                        () -> {
                            stand.postgres().start();
                            stand.kafka().start();
                        })
                .assertWhole();
        assertThat(report.answered("503")).isPositive();
    }

    @Test
    @DisplayName("one gateway's link to Kafka is frozen, ingest's is intact: its clients are served over Redis")
    void kafkaLinkFrozen() {
        OutageReport report = Outage.of("one gateway's Kafka link, frozen", services)
                .live()
                .watched(i -> i % 2 == 1)
                .run(
                        () -> stand.kafka().links().forEach(FaultyLink::freeze),
                        () -> stand.kafka().links().forEach(FaultyLink::thaw))
                .assertWhole()
                .assertTaken()
                .assertLive();
        assertThat(report.provisional()).isPositive();
        // hedge-after + 100 ms is the figure to be reported; here only that nobody waited for the link, which is frozen
        // longer if they do
        assertThat(report.first()).isBetween(Duration.ofMillis(1), Outage.ARRIVALS_WITHIN);
    }

    @Test
    @DisplayName(
            "Redis is killed: an ephemeral event is refused, presence is unavailable; idempotency keys are remembered locally, then by all again")
    void keysAndPresenceWithoutRedis() {
        String channel = Backends.unique("chat:keys");
        Publisher publisher = services.publisher();
        try (TidegateClient client = TidegateClient.at(services.gateway().url()).connect()) {
            answer(client.subscribe(channel));
            // a row before this one may have killed Redis too
            await("presence").atMost(WITHIN).until(() -> isAlone(client, channel));
            // when
            stand.redis().kill();
            // then
            await("presence to be unavailable")
                    .atMost(WITHIN)
                    .until(() -> client.ask(presenceOf(channel))
                            .handle((frame, e) -> e instanceof TidegateClient.AnsweredWithError error
                                    && error.code().equals("unavailable"))
                            .join());
            Publisher.Answer first = publisher.publish(channel, "{\"n\":0}", "Idempotency-Key", "a");
            Publisher.Answer again = publisher.publish(channel, "{\"n\":0}", "Idempotency-Key", "a");
            assertThat(first.status()).as("%s", first).isEqualTo(201);
            assertThat(first.header("Tidegate-Idempotency")).isEqualTo("local");
            assertThat(again.status()).as("%s", again).isEqualTo(200);
            assertThat(again.text()).isEqualTo(first.text());
            Publisher.Answer ephemeral = publisher.publish(Backends.unique("typing:refused"), "1");
            assertThat(ephemeral.status()).as("%s", ephemeral).isEqualTo(503);
            assertThat(ephemeral.header("Retry-After")).matches("[1-9][0-9]*");
            // and
            stand.redis().start();
            await("keys are shared again")
                    .atMost(WITHIN)
                    .until(() -> publisher
                            .publish(channel, "{\"n\":2}", "Idempotency-Key", Backends.unique("b"))
                            .header("Tidegate-Idempotency")
                            .equals("shared"));
            await("presence of an empty Redis").atMost(WITHIN).until(() -> isAlone(client, channel));
            client.awaitEvents(channel, 2, WITHIN);
            assertThat(client.events(channel)).extracting(ReceivedEvent::data).startsWith("{\"n\":0}", "{\"n\":2}");
            assertThat(client.violations()).isEmpty();
            assertThat(client.connects()).isEqualTo(1);
        }
    }

    /** Whether presence is there and knows of this client and nobody else. */
    private static boolean isAlone(TidegateClient client, String channel) {
        return client.ask(presenceOf(channel))
                .handle((frame, away) -> away == null && frame.path("count").asInt() == 1)
                .join();
    }

    private static ObjectNode presenceOf(String channel) {
        return TidegateClient.frame("presence").put("channel", channel);
    }

    /** Kafka takes nothing: publishers are answered all the same, and clients get it from the copies. */
    private static void assertLiveOverRedis(OutageReport report) {
        report.assertWhole().assertTaken().assertLive();
        assertThat(report.answered("202")).isPositive();
        assertThat(report.provisional()).isPositive();
    }

    /** Ephemeral events need neither Kafka nor PostgreSQL. */
    private void assertEphemeral(ServiceProcess gateway) {
        String channel = Backends.unique("typing:outage");
        try (TidegateClient client = TidegateClient.at(gateway.url()).connect()) {
            answer(client.subscribe(channel));
            Publisher.Answer sent = services.publisher().publish(channel, "1");
            assertThat(sent.status()).as("%s", sent).isEqualTo(201);
            client.awaitEvents(channel, 1, WITHIN);
        }
    }

    /** Waits until nothing is in the spool, as ingest counts it every second, and until events pass it by again. */
    private String spoolEmpties() {
        long begun = System.nanoTime();
        await("an empty spool")
                .atMost(WITHIN)
                .pollInterval(Duration.ofMillis(50))
                .until(() -> metric("tidegate_ingest_spool_depth") == 0);
        double empty = (System.nanoTime() - begun) / 1e9;
        await("events go to Kafka directly")
                .atMost(WITHIN)
                .pollInterval(Duration.ofMillis(50))
                .until(() -> metric("tidegate_ingest_kafka_state{state=\"healthy\"}") == 1);
        double direct = (System.nanoTime() - begun) / 1e9;
        return String.format(Locale.ROOT, "spool empty after %.1f s, direct again after %.1f s", empty, direct);
    }

    private double metric(String name) {
        String metrics =
                Publisher.get(services.ingest().url() + "/actuator/prometheus").text();
        return metrics.lines()
                .filter(line -> line.startsWith(name))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no metric " + name));
    }
}

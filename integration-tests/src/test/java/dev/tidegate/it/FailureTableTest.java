package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.TidegateClient;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The design's failure table, row by row, on three brokers, Redis, PostgreSQL, ingest, replay and two gateways: see {@link Outage}. */
@Timeout(300)
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
                .during(() -> assertThat(
                                List.of(services.ingest(), services.replay(), services.gateway(0), services.gateway(1)))
                        .allMatch(ServiceProcess::isReady))
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
        // hedge-after + 100 ms is the figure to be reported; here only that nobody waited for Kafka's time-outs
        assertThat(report.first()).isBetween(Duration.ofMillis(1), Duration.ofSeconds(3));
    }
}

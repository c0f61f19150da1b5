package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Without the replay service the live path goes on, and those who come back wait for it. */
@Timeout(720)
class ReplayAwayTest {

    private final Services services = Services.drilled();

    private static List<String> published(int to) {
        return IntStream.range(0, to).mapToObj(i -> "{\"n\":" + i + "}").toList();
    }

    private static List<String> data(TidegateClient client, String channel) {
        return client.events(channel).stream().map(ReceivedEvent::data).toList();
    }

    @Test
    @DisplayName(
            "replay service stopped: 'pending', live is held; when it returns, all of it in order; new subscriptions work meanwhile")
    void pending() {
        String channel = Backends.unique("chat:pending");
        Publisher publisher = services.publisher();
        String gateway = services.gateway().url();
        Position position;
        // given: a position, and two events missed after it
        try (TidegateClient before = TidegateClient.at(gateway).name("before").connect()) {
            answer(before.subscribe(channel));
            publisher.stored(channel, "{\"n\":0}");
            before.awaitEvents(channel, 1, WITHIN);
            position = before.position(channel);
            // Published while somebody listens: a copy over Redis that came when the last one had just gone could still
            // be delivered,
            // provisionally, to whoever subscribes within its wait (ADR 100).
            publisher.stored(channel, "{\"n\":1}");
            publisher.stored(channel, "{\"n\":2}");
            before.awaitEvents(channel, 3, WITHIN);
        }

        // when
        services.replay().kill();
        try (TidegateClient back = TidegateClient.at(gateway).name("back").connect();
                TidegateClient fresh = TidegateClient.at(gateway).name("fresh").connect()) {
            JsonNode subscribed = answer(back.subscribeAfter(channel, position.toString()));
            JsonNode now = answer(fresh.subscribe(channel));
            publisher.stored(channel, "{\"n\":3}");
            publisher.stored(channel, "{\"n\":4}");

            // then: the new subscription is live, the other one is held
            assertThat(subscribed.path("recovery").asString()).isEqualTo("pending");
            assertThat(now.path("recovery").asString()).isEqualTo("none");
            fresh.awaitEvents(channel, 2, WITHIN);
            assertThat(answer(back.ping()).path("op").asString()).isEqualTo("pong");
            assertThat(back.eventCount(channel)).isZero();

            // and once replay is back
            services.replay().start();
            back.awaitEvents(channel, 4, WITHIN);
            publisher.stored(channel, "{\"n\":5}");
            back.awaitEvents(channel, 5, WITHIN);
            fresh.awaitEvents(channel, 3, WITHIN);
            assertThat(data(back, channel)).isEqualTo(published(6).subList(1, 6));
            assertThat(back.events(channel).stream().limit(2)).allMatch(ReceivedEvent::replay);
            assertThat(data(fresh, channel)).isEqualTo(published(6).subList(3, 6));
            assertThat(back.gaps(channel)).isEmpty();
            assertThat(back.connects()).isEqualTo(1);
            assertThat(back.violations()).isEmpty();
            assertThat(fresh.violations()).isEmpty();
        }
    }
}

package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Gateways and the replay service are killed while events are published; nobody may miss one. */
@Timeout(1200)
class KillDrillTest {

    private static final int CLIENTS = 200;
    private static final int CHANNELS = 50;

    /** Published between two blows, so that each finds events under way and events missed. */
    private static final int EVENTS = 150;

    private final Services services = Services.drilled();

    private static List<String> channels(int count) {
        String run = Backends.unique("drill");
        return IntStream.range(0, count).mapToObj(i -> "chat:" + run + "." + i).toList();
    }

    @Test
    @DisplayName("the gateway is killed twice and the replay service once: 200 clients on 50 channels miss nothing")
    void kills() {
        List<String> channels = channels(CHANNELS);
        String gateway = services.gateway().url();
        // given
        try (Crowd crowd = new Crowd(CLIENTS, channels, _ -> () -> gateway);
                Traffic traffic = Traffic.on(services.publisher(), services.topic(), channels)) {
            awaitMore(traffic, EVENTS);

            // when: the gateway while the replay service is away too: clients come back to a gateway that cannot replay
            services.replay().kill();
            services.gateway().kill();
            awaitMore(traffic, EVENTS);
            services.gateway().start();
            crowd.awaitWhole();
            awaitMore(traffic, EVENTS);
            services.replay().start();

            // and once more at once, in the middle of catching up
            services.gateway().kill();
            awaitMore(traffic, EVENTS);
            services.gateway().start();
            crowd.awaitWhole();
            awaitMore(traffic, EVENTS);
            traffic.stop();

            // then
            Map<String, List<String>> log = Crowd.checkedLog(services.topic(), channels, traffic.acknowledged());
            crowd.assertHas(log);
            assertThat(crowd.clients()).allSatisfy(client -> {
                assertThat(client.connects()).isGreaterThanOrEqualTo(3);
                assertThat(client.replayed()).isPositive();
            });
        }
    }

    private static void awaitMore(Traffic traffic, int events) {
        int before = traffic.acknowledged();
        await(events + " more events").atMost(Crowd.WITHIN).until(() -> traffic.acknowledged() >= before + events);
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The three deliveries side by side, one event at a time: from the publisher's call to the subscriber. What it demands is that each event comes once; how
 * long they take is printed, as ratios to {@code ordered} of the same run, for this is no place for claims about milliseconds.
 */
@Timeout(600)
class DeliveryLatencyTest {

    private static final int WARM_UP = 50;
    private static final int ROUNDS = Integer.getInteger("tidegate.latency.rounds", 200);

    private final Services services = Services.quiet();

    @Test
    @DisplayName("ordered, fastest and ephemeral in turn: each event comes once; p50 and p99 are printed as ratios")
    void deliveries() {
        Map<String, String> channels = new LinkedHashMap<>();
        channels.put("ordered", Backends.unique("demo:latency"));
        channels.put("fastest", Backends.unique("fast:latency"));
        channels.put("ephemeral", Backends.unique("typing:latency"));
        Map<String, List<Long>> nanos = new LinkedHashMap<>();
        channels.keySet().forEach(delivery -> nanos.put(delivery, new ArrayList<>()));
        // given
        try (TidegateClient client = TidegateClient.at(services.gateway().url()).connect()) {
            channels.values().forEach(channel -> answer(client.subscribe(channel)));
            // when
            for (int n = 0; n < WARM_UP + ROUNDS; n++) {
                for (Map.Entry<String, String> delivery : channels.entrySet()) {
                    long took = once(client, delivery.getValue(), n);
                    if (n >= WARM_UP) {
                        nanos.get(delivery.getKey()).add(took);
                    }
                }
            }
            // then
            channels.values().forEach(channel -> {
                assertThat(client.events(channel))
                        .extracting(ReceivedEvent::id)
                        .doesNotHaveDuplicates()
                        .hasSize(WARM_UP + ROUNDS);
            });
            assertThat(client.violations()).isEmpty();
        }
        nanos.forEach((delivery, all) -> System.out.printf(
                Locale.ROOT,
                "[latency] %-9s p50 %.2f ms (%.2f of ordered)  p99 %.2f ms (%.2f of ordered)%n",
                delivery,
                quantile(all, 0.5) / 1e6,
                quantile(all, 0.5) / quantile(nanos.get("ordered"), 0.5),
                quantile(all, 0.99) / 1e6,
                quantile(all, 0.99) / quantile(nanos.get("ordered"), 0.99)));
    }

    private long once(TidegateClient client, String channel, int n) {
        long begun = System.nanoTime();
        Publisher.Answer answer = services.publisher().publish(channel, Integer.toString(n));
        assertThat(answer.status()).as("%s", answer).isEqualTo(201);
        client.awaitEvents(channel, n + 1, WITHIN);
        List<ReceivedEvent> events = client.events(channel);
        assertThat(events.getLast().data()).isEqualTo(Integer.toString(n));
        return events.getLast().receivedNanos() - begun;
    }

    private static double quantile(List<Long> values, double share) {
        List<Long> sorted = values.stream().sorted().toList();
        return sorted.get((int) Math.ceil(share * sorted.size()) - 1);
    }
}

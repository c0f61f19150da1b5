package dev.tidegate.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import org.assertj.core.api.SoftAssertions;

/** Many clients, each on two of the channels from the beginning. */
final class Crowd implements AutoCloseable {

    /** A reconnect storm on a busy machine takes its time; a bound, not a claim. */
    static final Duration WITHIN = Duration.ofMinutes(2);

    private final Map<TidegateClient, List<String>> clients = new LinkedHashMap<>();

    /**
     * Connects them and waits until each is subscribed.
     *
     * @param gateway where the client with this number looks for a gateway, asked at each of its connects
     */
    Crowd(int size, List<String> channels, IntFunction<Supplier<String>> gateway) {
        for (int i = 0; i < size; i++) {
            TidegateClient client = TidegateClient.at(gateway.apply(i))
                    .name("client " + i)
                    .seed(i)
                    .start();
            List<String> mine = List.of(
                    channels.get(i % channels.size()),
                    channels.get((i * 7 + 1 + i / channels.size()) % channels.size()));
            mine.stream().distinct().forEach(channel -> {
                var _ = client.subscribe(channel);
            });
            clients.put(client, mine.stream().distinct().toList());
        }
        awaitWhole();
    }

    /** A gateway for a client that tries the next one whenever it has to connect. */
    static Supplier<String> inTurn(int first, List<String> gateways) {
        AtomicInteger next = new AtomicInteger(first);
        return () -> gateways.get(Math.floorMod(next.getAndIncrement(), gateways.size()));
    }

    List<TidegateClient> clients() {
        return List.copyOf(clients.keySet());
    }

    /** The channels that this client has subscribed to. */
    List<String> channels(TidegateClient client) {
        return clients.get(client);
    }

    /** Waits until every client is connected and has been answered for every channel. */
    void awaitWhole() {
        await("every client is subscribed to all its channels")
                .atMost(WITHIN)
                .until(() -> clients.keySet().stream().allMatch(TidegateClient::isWhole));
    }

    /**
     * Waits until every client has at least as many events of each of its channels as the log, then compares: the same events, once, and in order but
     * for those that came provisionally. A gateway whose Kafka stands still for a moment, as on a machine that starts three services, may deliver those
     * before events whose copy it has not had.
     */
    void assertHas(Map<String, List<String>> log) {
        await("every client has caught up")
                .atMost(WITHIN)
                .until(() -> clients.entrySet().stream()
                        .allMatch(client -> client.getValue().stream()
                                .allMatch(channel -> client.getKey().eventCount(channel)
                                        >= log.getOrDefault(channel, List.of()).size())));
        SoftAssertions softly = new SoftAssertions();
        clients.forEach((client, channels) -> {
            for (String channel : channels) {
                assertHas(softly, client, channel, log.getOrDefault(channel, List.of()));
            }
            softly.assertThat(client.violations()).as(client.name()).isEmpty();
        });
        softly.assertAll();
    }

    private static void assertHas(SoftAssertions softly, TidegateClient client, String channel, List<String> log) {
        String what = client.name() + ", " + channel;
        List<ReceivedEvent> events = client.events(channel);
        softly.assertThat(events.stream().map(ReceivedEvent::id))
                .as("events of %s", what)
                .containsExactlyInAnyOrderElementsOf(log);
        List<String> placed = events.stream()
                .filter(event -> event.cursor() != null)
                .map(ReceivedEvent::id)
                .toList();
        Set<String> known = Set.copyOf(placed);
        softly.assertThat(placed)
                .as("events with a cursor of %s", what)
                .isEqualTo(log.stream().filter(known::contains).toList());
        softly.assertThat(client.gaps(channel)).as("gaps of %s", what).isEmpty();
    }

    /** The log of these channels holds what {@link Traffic} published, all of it, in order. */
    static Map<String, List<String>> checkedLog(Topic topic, List<String> channels, int acknowledged) {
        Map<String, List<String>> log = topic.ids(channels);
        int total = 0;
        for (String channel : channels) {
            List<String> ids = log.getOrDefault(channel, List.of());
            List<String> published = new ArrayList<>();
            for (int n = 0; n < ids.size(); n++) {
                published.add(channel + "/" + n);
            }
            assertThat(ids).as("the log of %s", channel).isEqualTo(published);
            total += ids.size();
        }
        assertThat(total).as("events in the log").isEqualTo(acknowledged);
        return log;
    }

    @Override
    public void close() {
        clients.keySet().forEach(TidegateClient::close);
    }
}

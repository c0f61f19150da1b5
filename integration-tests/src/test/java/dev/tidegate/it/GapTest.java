package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ReceivedGap;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/** What cannot be replayed is told, with the right reason, and delivery goes on whole. */
@Timeout(720)
class GapTest {

    private final Services services = Services.drilled();
    private final Topic topic = services.topic();
    private final List<TidegateClient> clients = new ArrayList<>();

    private TidegateClient connect(String name) {
        TidegateClient client =
                TidegateClient.at(services.gateway().url()).name(name).connect();
        clients.add(client);
        return client;
    }

    @AfterEach
    void close() {
        clients.forEach(TidegateClient::close);
    }

    private static List<String> published(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> "{\"n\":" + i + "}").toList();
    }

    private void publish(String channel, int from, int to) {
        published(from, to).forEach(json -> topic.write(channel, json));
    }

    private JsonNode history(String channel, Position after) throws Exception {
        URI uri = URI.create(services.replay().url() + "/v1/channels/" + channel + "/events?after=" + after);
        try (HttpClient http = HttpClient.newHttpClient()) {
            return new ObjectMapper()
                    .readTree(http.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString())
                            .body());
        }
    }

    private static List<String> data(TidegateClient client, String channel) {
        return client.events(channel).stream().map(ReceivedEvent::data).toList();
    }

    private static void assertNoViolations(TidegateClient client) {
        assertThat(client.violations()).as(client.name()).isEmpty();
    }

    @Test
    @DisplayName(
            "retention removes what a client missed while it was away: gap 'expired', then what remains, then live")
    void expiredWhileAway() {
        String channel = Backends.unique("chat:expired");
        // given: a client that has two events and goes away, and three more that it misses
        TidegateClient first = connect("before");
        answer(first.subscribe(channel));
        publish(channel, 0, 2);
        first.awaitEvents(channel, 2, WITHIN);
        Position position = first.position(channel);
        first.close();
        publish(channel, 2, 5);

        // when: these expire, and three come that are kept
        topic.expireAll();
        long start = topic.firstOffset(position.partition());
        // Until the service has heard of it, it still has them in memory, and a client would get them: nothing wrong
        // with that.
        await().atMost(WITHIN).until(() -> history(channel, position).has("gap"));
        publish(channel, 5, 8);
        TidegateClient client = connect("away");
        JsonNode subscribed = answer(client.subscribeAfter(channel, position.toString()));

        // then
        assertThat(subscribed.path("recovery").asString()).isIn("gap", "pending"); // when it takes longer than 2 s
        client.awaitEvents(channel, 3, WITHIN);
        assertThat(data(client, channel)).isEqualTo(published(5, 8));
        assertThat(client.gaps(channel)).singleElement().satisfies(gap -> {
            assertThat(gap.reason()).isEqualTo("expired");
            assertThat(gap.after()).isEqualTo(position.toString());
            assertThat(Position.of(gap.cursor()).comparableWith(position)).isTrue();
            assertThat(Position.of(gap.cursor()).offset()).isEqualTo(start - 1);
        });
        // and delivery goes on
        publish(channel, 8, 10);
        client.awaitEvents(channel, 5, WITHIN);
        assertThat(data(client, channel)).isEqualTo(published(5, 10));
        assertNoViolations(client);
    }

    @Test
    @DisplayName(
            "records are removed before a gateway has read them: gap 'expired' for a connected client, then the rest")
    void expiredWhileConnected() {
        String channel = Backends.unique("chat:overtaken");
        int partition = Topic.partitionOf(channel);
        // given: a connected client whose gateway stands still
        TidegateClient client = connect("connected");
        answer(client.subscribe(channel));
        publish(channel, 0, 1);
        client.awaitEvents(channel, 1, WITHIN);
        services.gateway().freeze();

        // when
        long kept;
        try {
            // A fetch that Kafka already holds for the gateway answers with the first of them.
            publish(channel, 1, 40);
            kept = topic.nextOffset(partition);
            topic.deleteBefore(partition, kept);
            publish(channel, 40, 43);
        } finally {
            services.gateway().thaw();
        }

        // then
        client.await("a gap", WITHIN, () -> !client.gaps(channel).isEmpty());
        publish(channel, 43, 45);
        client.await("the last event", WITHIN, () -> data(client, channel).contains("{\"n\":44}"));
        List<String> data = data(client, channel);
        assertThat(data.subList(data.size() - 5, data.size())).isEqualTo(published(40, 45));
        assertThat(data.subList(0, data.size() - 5))
                .isEqualTo(published(0, data.size() - 5))
                .hasSizeLessThan(40);
        assertThat(client.gaps(channel)).singleElement().satisfies(gap -> {
            assertThat(gap.reason()).isEqualTo("expired");
            assertThat(Position.of(gap.cursor()).offset()).isEqualTo(kept - 1);
        });
        assertThat(client.connects()).isEqualTo(1);
        assertNoViolations(client);
    }

    @Test
    @DisplayName(
            "the topic is recreated: gap 'epoch' for those connected and those who come back, then all of the new one")
    void recreated() {
        // given: a connected client on channels of two partitions, one of them silent, and one that goes away
        String talking = Topic.channelIn(0, Backends.unique("chat:talking") + ".");
        String silent = Topic.channelIn(1, Backends.unique("chat:silent") + ".");
        TidegateClient connected = connect("connected");
        answer(connected.subscribe(talking));
        answer(connected.subscribe(silent));
        TidegateClient first = connect("before");
        answer(first.subscribe(talking));
        publish(talking, 0, 3);
        connected.awaitEvents(talking, 3, WITHIN);
        first.awaitEvents(talking, 3, WITHIN);
        Position old = first.position(talking);
        first.close();

        // when
        topic.recreate();
        publish(talking, 3, 6);

        // then: who is connected is told on both channels, and gets all of the new topic
        connected.awaitEvents(talking, 6, WITHIN);
        connected.await(
                "a gap on the silent channel",
                WITHIN,
                () -> !connected.gaps(silent).isEmpty());
        assertThat(data(connected, talking)).isEqualTo(published(0, 6));
        for (String channel : List.of(talking, silent)) {
            assertThat(connected.gaps(channel))
                    .singleElement()
                    .extracting(ReceivedGap::reason)
                    .isEqualTo("epoch");
        }
        // and who comes back is told the same
        TidegateClient client = connect("away");
        JsonNode subscribed = answer(client.subscribeAfter(talking, old.toString()));
        assertThat(subscribed.path("recovery").asString()).isIn("gap", "pending"); // when it takes longer than 2 s
        client.awaitEvents(talking, 3, WITHIN);
        assertThat(data(client, talking)).isEqualTo(published(3, 6));
        assertThat(client.gaps(talking)).singleElement().satisfies(gap -> {
            assertThat(gap.reason()).isEqualTo("epoch");
            assertThat(gap.after()).isEqualTo(old.toString());
            assertThat(Position.of(gap.cursor()).epoch()).isNotEqualTo(old.epoch());
        });
        // and delivery goes on, over ingest too
        await("ingest takes events again")
                .atMost(WITHIN)
                .until(() -> services.publisher().publish(silent, "{\"n\":0}").status() == 201);
        publish(talking, 6, 8);
        client.awaitEvents(talking, 5, WITHIN);
        connected.awaitEvents(talking, 8, WITHIN);
        connected.awaitEvents(silent, 1, WITHIN);
        assertThat(data(client, talking)).isEqualTo(published(3, 8));
        assertThat(data(connected, talking)).isEqualTo(published(0, 8));
        assertNoViolations(client);
        assertNoViolations(connected);
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ReceivedGap;
import dev.tidegate.testsupport.TidegateClient;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Partitions are added to the fan-out topic while everything runs (ADR 071), on services and a topic of their own. */
@Timeout(720)
class AddedPartitionsTest {
    private static final int GROWN = 6;

    /** A channel that lies in this partition, and in that one once there are more. */
    private static String channel(int before, int after) {
        String prefix = Backends.unique("chat:grown") + ".";
        int i = 0;
        while (Topic.partitionOf(prefix + i) != before || Topic.partitionOf(prefix + i, GROWN) != after) {
            i++;
        }
        return prefix + i;
    }

    private static List<String> data(TidegateClient client, String channel) {
        return client.events(channel).stream().map(ReceivedEvent::data).toList();
    }

    @Test
    @DisplayName(
            "partitions are added: channels that stay go on whole, those that move are told a gap 'epoch' and miss nothing")
    void partitionsAreAdded() {
        try (Services services =
                Services.on(Backends.shared().environment(), "grown").patient().start()) {
            Publisher publisher = services.publisher();
            String stays = channel(2, 2);
            String movesToANewOne = channel(1, 5);
            String movesToAnOldOne = channel(3, 1);
            List<String> channels = List.of(stays, movesToANewOne, movesToAnOldOne);
            List<String> published = new ArrayList<>();
            TidegateClient connected = TidegateClient.at(services.gateway().url())
                    .name("connected")
                    .connect();
            TidegateClient first =
                    TidegateClient.at(services.gateway().url()).name("before").connect();
            TidegateClient back = null;
            try {
                // given: a client that stays and one that goes away
                for (String channel : channels) {
                    answer(connected.subscribe(channel));
                    answer(first.subscribe(channel));
                }
                publish(publisher, channels, published);
                for (String channel : channels) {
                    connected.awaitEvents(channel, 1, WITHIN);
                    first.awaitEvents(channel, 1, WITHIN);
                }
                Position old = first.position(movesToANewOne);
                first.close();

                // when: partitions are added, and publishing goes on before, while and after everybody notices
                services.topic().grow(GROWN);
                while (connected.gaps(movesToANewOne).isEmpty()
                        || connected.gaps(movesToAnOldOne).isEmpty()) {
                    assertThat(published).as("events until the gateway noticed").hasSizeLessThan(200_000);
                    publish(publisher, channels, published);
                }
                int noticed = published.size();
                for (int i = 0; i < 5; i++) {
                    publish(publisher, channels, published);
                }

                // then: what producers wrote to the old place meanwhile comes to the new one, so in another order
                for (String channel : channels) {
                    connected.await(
                            "all events of " + channel,
                            WITHIN,
                            () -> connected.eventCount(channel) == published.size());
                    assertThat(new TreeSet<>(data(connected, channel))).isEqualTo(new TreeSet<>(published));
                }
                assertThat(data(connected, stays)).isEqualTo(published);
                assertThat(connected.gaps(stays)).isEmpty();
                for (String moved : List.of(movesToANewOne, movesToAnOldOne)) {
                    assertThat(connected.gaps(moved))
                            .singleElement()
                            .extracting(ReceivedGap::reason)
                            .isEqualTo("epoch");
                    assertThat(connected.position(moved).partition()).isEqualTo(Topic.partitionOf(moved, GROWN));
                }
                assertThat(connected.connects()).isEqualTo(1);
                assertThat(connected.violations()).isEmpty();

                // and who comes back with a cursor of before is told the same
                TidegateClient returned =
                        TidegateClient.at(services.gateway().url()).name("away").connect();
                back = returned;
                JsonNode subscribed = answer(returned.subscribeAfter(movesToANewOne, old.toString()));
                assertThat(subscribed.path("recovery").asString()).isIn("gap", "pending");
                returned.await(
                        "the events since",
                        WITHIN,
                        () -> data(returned, movesToANewOne).containsAll(published.subList(noticed, published.size())));
                assertThat(returned.gaps(movesToANewOne)).singleElement().satisfies(gap -> {
                    assertThat(gap.reason()).isEqualTo("epoch");
                    assertThat(gap.after()).isEqualTo(old.toString());
                });
                assertThat(returned.violations()).isEmpty();
            } finally {
                first.close();
                connected.close();
                if (back != null) {
                    back.close();
                }
            }
        }
    }

    /** One event to each channel. */
    private static void publish(Publisher publisher, List<String> channels, List<String> published) {
        String json = "{\"n\":" + published.size() + "}";
        for (String channel : channels) {
            publisher.stored(channel, json);
        }
        published.add(json);
    }
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.Position;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Durable cursors, and PostgreSQL killed beneath them. */
@Timeout(720)
class DurableCursorDrillTest {

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final FailureStand stand = FailureStand.whole();
    private final Services services = stand.services();

    @Test
    @DisplayName(
            "a durable cursor brings a client back without one; PostgreSQL is killed: 'pending', and whole when it is back")
    void durableCursor() {
        String channel = Backends.unique("orders:durable");
        String subject = Backends.unique("ann");
        Publisher publisher = services.publisher();
        // A witness: an event that the log has brought to it comes to nobody else by its copy any more, which could
        // overtake others.
        try (TidegateClient witness = connectAs(subject)) {
            answer(witness.subscribe(channel));
            comesBack(publisher, channel, subject, witness);
        }
    }

    private void comesBack(Publisher publisher, String channel, String subject, TidegateClient witness) {
        List<String> cursors = new ArrayList<>();
        // given: three events, of which two are acknowledged
        try (TidegateClient first = connectAs(subject)) {
            JsonNode subscribed = answer(first.subscribeDurable(channel, "phone"));
            assertThat(subscribed.path("recovery").asString()).isIn("none", "pending"); // when it takes longer than 2 s
            for (int i = 0; i < 3; i++) {
                cursors.add(publish(publisher, channel, i, witness));
            }
            first.awaitEvents(channel, 3, WITHIN);
            acknowledge(first, subject, channel, cursors.get(1));
        }
        publish(publisher, channel, 3, witness);

        // when
        try (TidegateClient back = connectAs(subject)) {
            JsonNode subscribed = answer(back.subscribeDurable(channel, "phone"));

            // then
            assertThat(subscribed.path("recovery").asString()).isIn("complete", "pending");
            back.awaitEvents(channel, 2, WITHIN);
            assertThat(back.events(channel)).extracting(ReceivedEvent::data).containsExactly("2", "3");
            assertThat(back.violations()).isEmpty();
            acknowledge(back, subject, channel, cursors.get(2));

            // when
            stand.postgres().kill();
            publish(publisher, channel, 4, witness);
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
            String newest = publish(publisher, channel, 5, witness);
            assertThat(subscribed.path("recovery").asString()).isEqualTo("pending");
            assertThat(answer(held.ping()).path("op").asString()).isEqualTo("pong");
            assertThat(held.eventCount(channel)).isZero();

            // and when it is back
            stand.postgres().start();
            held.awaitEvents(channel, 3, WITHIN);
            assertThat(held.events(channel)).extracting(ReceivedEvent::data).containsExactly("3", "4", "5");
            acknowledge(held, subject, channel, newest);
            assertThat(held.violations()).isEmpty();
        }
    }

    /** Publishes, waits until the log has brought it to the witness, and returns its cursor. */
    private static String publish(Publisher publisher, String channel, int n, TidegateClient witness) {
        String cursor = publisher.stored(channel, Integer.toString(n)).cursor();
        awaitPosition(witness, channel, cursor);
        return cursor;
    }

    private static void awaitPosition(TidegateClient client, String channel, String cursor) {
        long offset = Position.of(cursor).offset();
        client.await(
                "position " + cursor, WITHIN, () -> client.position(channel).offset() >= offset);
    }

    private TidegateClient connectAs(String subject) {
        return TidegateClient.at(services.gateway().url())
                .name(subject)
                .token(Tokens.hs256(Tokens.SECRET, Tokens.claims(subject, Duration.ofHours(1))))
                .connect();
    }

    /** Acknowledges what the client has up to a cursor, and waits until operators see it. */
    private void acknowledge(TidegateClient client, String subject, String channel, String cursor) {
        awaitPosition(client, channel, cursor);
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
}

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.TidegateClient;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Durable cursors, and PostgreSQL killed beneath them. */
@Timeout(300)
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
        // given: three events, of which two are acknowledged
        try (TidegateClient first = connectAs(subject)) {
            JsonNode subscribed = answer(first.subscribeDurable(channel, "phone"));
            assertThat(subscribed.path("recovery").asString()).isEqualTo("none");
            for (int i = 0; i < 3; i++) {
                publisher.stored(channel, Integer.toString(i));
            }
            first.awaitEvents(channel, 3, WITHIN);
            acknowledge(first, subject, channel, 1);
        }
        publisher.stored(channel, "3");

        // when
        try (TidegateClient back = connectAs(subject)) {
            JsonNode subscribed = answer(back.subscribeDurable(channel, "phone"));

            // then
            assertThat(subscribed.path("recovery").asString()).isEqualTo("complete");
            back.awaitEvents(channel, 2, WITHIN);
            assertThat(back.events(channel)).extracting(ReceivedEvent::data).containsExactly("2", "3");
            assertThat(back.violations()).isEmpty();
            acknowledge(back, subject, channel, 0);

            // when
            stand.postgres().kill();
            publisher.stored(channel, "4");
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
            publisher.stored(channel, "5");
            assertThat(subscribed.path("recovery").asString()).isEqualTo("pending");
            assertThat(answer(held.ping()).path("op").asString()).isEqualTo("pong");
            assertThat(held.eventCount(channel)).isZero();

            // and when it is back
            stand.postgres().start();
            held.awaitEvents(channel, 3, WITHIN);
            assertThat(held.events(channel)).extracting(ReceivedEvent::data).containsExactly("3", "4", "5");
            acknowledge(held, subject, channel, 2);
            assertThat(held.violations()).isEmpty();
        }
    }

    private TidegateClient connectAs(String subject) {
        return TidegateClient.at(services.gateway().url())
                .name(subject)
                .token(Tokens.hs256(Tokens.SECRET, Tokens.claims(subject, Duration.ofHours(1))))
                .connect();
    }

    /** Acknowledges the n-th event that the client has, and waits until operators see it. */
    private void acknowledge(TidegateClient client, String subject, String channel, int n) {
        String cursor = client.events(channel).get(n).cursor().toString();
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

package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.TidegateClient;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** Who is there, across two gateways on one Redis. */
@Timeout(720)
class PresenceTest {

    private final Services services = Services.drilled();
    private final String channel = Backends.unique("chat:presence");
    private final Queue<String> told = new ConcurrentLinkedQueue<>();

    private TidegateClient connect(String name, int gateway, Queue<String> listener) {
        return TidegateClient.at(services.gateway(gateway).url())
                .name(name)
                .withoutReconnect()
                .listener(frame -> note(frame, listener))
                .connect();
    }

    private static void note(JsonNode frame, Queue<String> into) {
        String op = frame.path("op").asString();
        switch (op) {
            case "connected" -> into.add("connected " + frame.path("connection").asString());
            case "join", "leave" ->
                into.add(op + " " + frame.at("/member/connection").asString(""));
            default -> {}
        }
    }

    private static String id(Queue<String> of) {
        return of.stream()
                .filter(s -> s.startsWith("connected "))
                .findFirst()
                .orElseThrow()
                .substring("connected ".length());
    }

    private long count(TidegateClient client) {
        JsonNode answer = answer(client.ask(TidegateClient.frame("presence").put("channel", channel)));
        assertThat(answer.path("members").size())
                .isEqualTo((int) answer.path("count").asLong());
        return answer.path("count").asLong();
    }

    @Test
    @DisplayName(
            "members of two gateways see each other come and go; those of a killed gateway leave when its lease ends")
    void acrossGateways() {
        Queue<String> toBob = new ConcurrentLinkedQueue<>();
        Queue<String> toCid = new ConcurrentLinkedQueue<>();
        try (TidegateClient ann = connect("ann", 0, told)) {
            // given
            answer(ann.subscribe(channel));
            assertThat(count(ann)).isEqualTo(1);

            // when
            TidegateClient bob = connect("bob", 1, toBob);
            answer(bob.subscribe(channel));
            try (TidegateClient cid = connect("cid", 0, toCid)) {
                answer(cid.subscribe(channel));

                // then
                await("both to be told")
                        .atMost(WITHIN)
                        .until(() -> told.containsAll(List.of("join " + id(toBob), "join " + id(toCid))));
                assertThat(count(bob)).isEqualTo(3);

                // when
                services.gateway(1).kill();

                // then: nobody else is taken to have left
                await("the dead gateway's member to leave")
                        .atMost(WITHIN)
                        .until(() -> told.contains("leave " + id(toBob)));
                assertThat(count(ann)).isEqualTo(2);
                assertThat(told).doesNotContain("leave " + id(toCid));
            }

            // and when one closes
            await("the other one to leave").atMost(WITHIN).until(() -> told.contains("leave " + id(toCid)));
            assertThat(count(ann)).isEqualTo(1);
            assertThat(told).noneMatch(s -> s.contains(" " + id(told)) && !s.startsWith("connected"));
            assertThat(ann.violations()).isEmpty();
            bob.close();
        }
    }
}

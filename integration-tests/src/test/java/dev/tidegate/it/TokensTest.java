package dev.tidegate.it;

import static dev.tidegate.it.Answers.WITHIN;
import static dev.tidegate.it.Answers.answer;
import static dev.tidegate.it.Answers.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ReceivedEvent;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import dev.tidegate.testsupport.TidegateClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Services started as a plain {@code java -jar} with an operator's configuration file: who is nobody gets nothing, and a token opens what it says. */
@Timeout(480)
class TokensTest {

    private static final Duration LONG = Duration.ofHours(1);

    /** What an operator would write into the file that every service reads. */
    private static final String CONFIGURATION = """
            tidegate:
              auth:
                hs256-secret: "SECRET"
                issuer: https://issuer.test
                service-token: a-service-token-of-this-test
              namespaces:
                chat: {}
                open:
                  anonymous-subscribe: true
                readonly:
                  publish: false
                user:
                  personal: true
            """;

    private static final Tokens.Signer SIGNER = new Tokens.Signer();
    private static Services services;
    private static ServiceProcess keySetIngest;

    @BeforeAll
    static void start() throws IOException {
        Path file = Path.of("target", "tokens-" + ProcessHandle.current().pid() + ".yml")
                .toAbsolutePath();
        Files.createDirectories(file.getParent());
        Files.writeString(file, CONFIGURATION.replace("SECRET", Tokens.SECRET));
        Services.Builder builder = Services.on(Backends.shared().environment(), "tokens")
                .environment("TIDEGATE_CONFIG", file.toString())
                .each(ServiceProcess.Builder::plainProfile)
                .patient()
                .gatewayProperty("tidegate.auth.jwks-url", SIGNER.keySetUrl())
                .gatewayProperty("tidegate.auth.clock-skew", "0s");
        services = builder.start();
        keySetIngest = builder.process(
                Kind.INGEST,
                Map.of(),
                process -> process.property("tidegate.auth.hs256-secret", "")
                        .property("tidegate.auth.jwks-url", SIGNER.keySetUrl()));
    }

    @AfterAll
    static void stop() {
        if (keySetIngest != null) {
            keySetIngest.close();
        }
        if (services != null) {
            services.close();
        }
        SIGNER.close();
    }

    private static ObjectNode claims(String subject, Duration valid) {
        return Tokens.claims(subject, valid).put("iss", "https://issuer.test");
    }

    private static String token(String subject) {
        return Tokens.hs256(Tokens.SECRET, claims(subject, LONG));
    }

    private static TidegateClient.Builder client() {
        return TidegateClient.at(services.gateway().url());
    }

    private static Publisher.Answer publish(String token, String channel, String json) {
        return services.publisher().publish(channel, json, "Authorization", "Bearer " + token);
    }

    @Test
    @DisplayName("with a token: subscribed and served, published over HTTP and over the WebSocket")
    void withToken() {
        String channel = Backends.unique("chat:token");
        try (TidegateClient client = client().token(token("alice")).connect()) {
            // when
            answer(client.subscribe(channel));
            Publisher.Answer stored = publish(token("bob"), channel, "1");
            JsonNode published = answer(client.publish(channel, "2"));
            // then
            assertThat(stored.status()).as("%s", stored).isEqualTo(201);
            assertThat(published.path("status").asString()).isEqualTo("stored");
            client.awaitEvents(channel, 2, WITHIN);
            assertThat(client.events(channel)).extracting(ReceivedEvent::data).containsExactly("1", "2");
            // and what was missed is replayed to it
            try (TidegateClient last = client().token(token("carol")).connect()) {
                answer(last.subscribeLast(channel, 2));
                last.awaitEvents(channel, 2, WITHIN);
                assertThat(last.violations()).isEmpty();
            }
            assertThat(client.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName("without a token: what is not open to everybody is unauthenticated; over HTTP 401")
    void withoutToken() throws IOException {
        try (RawWebSocket client = RawWebSocket.to(services.gateway().port())) {
            client.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"chat:x\"}");
            client.text("{\"op\":\"publish\",\"id\":2,\"channel\":\"chat:x\",\"data\":1}");
            assertThat(client.json().path("code").asString()).isEqualTo("unauthenticated");
            assertThat(client.json().path("code").asString()).isEqualTo("unauthenticated");
            // The connection stays: there is a namespace that is open to everybody.
        }
        Publisher.Answer publish = services.publisher().publish("chat:x", "1");
        assertThat(publish.status()).as("%s", publish).isEqualTo(401);
        assertThat(publish.code()).isEqualTo("unauthenticated");
        Publisher.Answer stream = Publisher.get(services.gateway().url() + "/v1/sse?channel=chat:x");
        assertThat(stream.status()).as("%s", stream).isEqualTo(401);
    }

    @Test
    @DisplayName("a token that is wrong, expired, unsigned, of another issuer or rubbish is refused everywhere")
    void wrongTokens() throws IOException {
        List<String> wrong = List.of(
                Tokens.hs256("quite another secret of 32 bytes", claims("alice", LONG)),
                Tokens.hs256(Tokens.SECRET, claims("alice", Duration.ofHours(-1))),
                Tokens.hs256(Tokens.SECRET, Tokens.claims("alice", LONG).put("iss", "https://other.test")),
                Tokens.unsigned(claims("alice", LONG)),
                "rubbish");
        for (String token : wrong) {
            Publisher.Answer stream = Publisher.get(services.gateway().url() + "/v1/sse?channel=chat:x&token=" + token);
            assertThat(stream.status()).as("%s: %s", token, stream).isEqualTo(401);
            assertThat(stream.code()).isEqualTo("unauthenticated");
            Publisher.Answer publish = publish(token, "chat:x", "1");
            assertThat(publish.status()).as("%s: %s", token, publish).isEqualTo(401);
            try (RawWebSocket client = RawWebSocket.to(services.gateway().port())) {
                client.text("{\"op\":\"connect\",\"id\":1,\"token\":\"" + token + "\"}");
                assertThat(client.json().path("code").asString()).as(token).isEqualTo("unauthenticated");
                assertThat(client.closeCode()).isEqualTo(4101);
            }
        }
    }

    @Test
    @DisplayName("a token that expires closes with 4102; a connect frame with a fresh one keeps the connection")
    void expires() {
        // given: a token that lives shorter than this test, but long enough to connect with, however slow this machine
        // is
        for (int seconds = 3; ; seconds *= 3) {
            String shortLived = Tokens.hs256(Tokens.SECRET, claims("alice", Duration.ofSeconds(seconds)));
            try (TidegateClient expiring =
                            client().token(shortLived).withoutReconnect().start();
                    TidegateClient renewed =
                            client().token(shortLived).withoutReconnect().start()) {
                expiring.await(
                        "an outcome",
                        WITHIN,
                        () -> expiring.isConnected() || !expiring.closeCodes().isEmpty());
                renewed.await(
                        "an outcome",
                        WITHIN,
                        () -> renewed.isConnected() || !renewed.closeCodes().isEmpty());
                // when
                CompletableFuture<JsonNode> fresh =
                        renewed.ask(TidegateClient.frame("connect").put("token", token("alice")));
                renewed.await(
                        "an answer",
                        WITHIN,
                        () -> fresh.isDone() || !renewed.closeCodes().isEmpty());
                if (!renewed.closeCodes().isEmpty()
                        || (!expiring.isConnected() && !expiring.closeCodes().contains(4102))) {
                    assertThat(seconds)
                            .as("seconds that a token lived, in which nobody could connect and renew it")
                            .isLessThan(60);
                    continue;
                }
                JsonNode connected = answer(fresh);
                assertThat(connected.path("subject").asString()).isEqualTo("alice");
                assertThat(refusal(renewed.ask(TidegateClient.frame("connect").put("token", token("bob")))))
                        .isEqualTo("forbidden");
                // then
                expiring.await("the close", WITHIN, () -> !expiring.closeCodes().isEmpty());
                assertThat(expiring.closeCodes()).containsExactly(4102);
                assertThat(answer(renewed.ping()).path("op").asString()).isEqualTo("pong");
                return;
            }
        }
    }

    @Test
    @DisplayName("a personal channel is its subject's alone, joined by itself, and resumed like any other")
    void personal() {
        String alice = Backends.unique("alice");
        String channel = "user:" + alice;
        Publisher.Answer stored;
        try (TidegateClient client = client().token(token(alice)).connect();
                TidegateClient bob = client().token(token("bob")).connect()) {
            client.await("the personal channel", WITHIN, () -> client.isSubscribed(channel));
            // when
            stored = publish(token(alice), channel, "1");
            // then
            assertThat(stored.status()).as("%s", stored).isEqualTo(201);
            client.awaitEvents(channel, 1, WITHIN);
            assertThat(refusal(bob.subscribe(channel))).isEqualTo("forbidden");
            assertThat(publish(token("bob"), channel, "0").status()).isEqualTo(403);
            assertThat(client.violations()).isEmpty();
        }
        // and whoever was away says where it was, which takes the place of the joining
        publish(token(alice), channel, "2");
        try (TidegateClient back = client().token(token(alice)).connect()) {
            answer(back.subscribeAfter(channel, stored.cursor()));
            back.awaitEvents(channel, 1, WITHIN);
            publish(token(alice), channel, "3");
            back.awaitEvents(channel, 2, WITHIN);
            assertThat(back.events(channel)).extracting(ReceivedEvent::data).containsExactly("2", "3");
            assertThat(back.violations()).isEmpty();
        }
    }

    @Test
    @DisplayName("patterns of a token and rules of a namespace are kept, in the gateway and in ingest")
    void rules() {
        ObjectNode claims = claims("alice", LONG);
        claims.putArray("subscribe").add("chat:team.*");
        claims.putArray("publish").add("chat:team.1");
        String limited = Tokens.hs256(Tokens.SECRET, claims);
        try (TidegateClient client = client().token(limited).connect()) {
            answer(client.subscribe("chat:team.2"));
            assertThat(refusal(client.subscribe("chat:other"))).isEqualTo("forbidden");
            assertThat(refusal(client.publish("chat:team.2", "1"))).isEqualTo("forbidden");
            answer(client.publish("chat:team.1", "1"));
        }
        assertThat(publish(limited, "chat:team.1", "1").status()).isEqualTo(201);
        assertThat(publish(limited, "chat:team.2", "1").status()).isEqualTo(403);
        assertThat(publish(token("alice"), "readonly:x", "1").status()).isEqualTo(403);
    }

    @Test
    @DisplayName("a token signed with a key of the key set is believed; one by another key is not")
    void keySet() {
        String channel = Backends.unique("chat:keys");
        String good = SIGNER.rs256(claims("alice", LONG));
        try (Tokens.Signer stranger = new Tokens.Signer();
                TidegateClient client = client().token(good).connect()) {
            answer(client.subscribe(channel));
            keySetIngest.awaitReady();
            Publisher publisher = new Publisher(keySetIngest.url());
            // when
            Publisher.Answer stored = publisher.publish(channel, "1", "Authorization", "Bearer " + good);
            Publisher.Answer refused =
                    publisher.publish(channel, "2", "Authorization", "Bearer " + stranger.rs256(claims("alice", LONG)));
            // then
            assertThat(stored.status()).as("%s", stored).isEqualTo(201);
            assertThat(refused.status()).as("%s", refused).isEqualTo(401);
            client.awaitEvents(channel, 1, WITHIN);
            assertThat(Publisher.get(services.gateway().url() + "/v1/sse?channel=" + channel + "&token="
                                    + stranger.rs256(claims("alice", LONG)))
                            .status())
                    .isEqualTo(401);
            assertThat(client.violations()).isEmpty();
        }
    }
}

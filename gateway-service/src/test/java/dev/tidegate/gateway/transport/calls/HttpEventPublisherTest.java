package dev.tidegate.gateway.transport.calls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.session.EventPublisher.Outcome;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ServerFrames.PublishStatus;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(180)
class HttpEventPublisherTest {
    private static final MultiThreadIoEventLoopGroup GROUP =
            new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private static final EventLoop LOOP = (EventLoop) GROUP.iterator().next();
    private static final Identity JOE = new Identity("Jö\"e", Long.MAX_VALUE, null, null);

    @AfterAll
    static void stop() throws InterruptedException {
        GROUP.shutdownGracefully(0, 5, TimeUnit.SECONDS).sync();
    }

    private static HttpEventPublisher publisher(URI url, int inFlight, Duration timeout) {
        return new HttpEventPublisher(List.of(LOOP), new GatewaySettings.Ingest(url, inFlight, 2, timeout), "s3cret");
    }

    private static ClientFrame.Publish frame(@Nullable String event, @Nullable String type) {
        return new ClientFrame.Publish(
                "1", new ChannelName("orders:eu/a#1"), "{\"x\":1}".getBytes(StandardCharsets.UTF_8), event, type);
    }

    private static CompletableFuture<Outcome> publish(HttpEventPublisher p, Identity who, ClientFrame.Publish frame) {
        CompletableFuture<Outcome> done = new CompletableFuture<>();
        LOOP.execute(() -> p.publish(who, frame, done::complete));
        return done;
    }

    private static Outcome get(CompletableFuture<Outcome> f) throws Exception {
        return f.get(60, TimeUnit.SECONDS);
    }

    @Test
    void sendsEverythingIngestNeedsAndReadsItsAnswer() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) -> out.whole(
                        201,
                        "application/json",
                        "{\"id\":\"e-1\",\"cursor\":\"k3ZqW1xA.7.12\",\"status\":\"stored\",\"more\":{}}"));
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            Outcome outcome = get(publish(publisher, JOE, frame("e-1", "order.created")));

            // then
            assertThat(outcome).isEqualTo(new Outcome.Accepted("e-1", "k3ZqW1xA.7.12"));
            ScriptedServer.Request r = server.nextRequest();
            assertThat(r.line()).isEqualTo("POST /v1/channels/orders%3Aeu%2Fa%231/events HTTP/1.1");
            assertThat(r.text()).isEqualTo("{\"x\":1}");
            assertThat(r.headers())
                    .containsEntry("authorization", "Bearer s3cret")
                    .containsEntry("content-type", "application/json")
                    .containsEntry("tidegate-event-id", "e-1")
                    .containsEntry("idempotency-key", "e-1")
                    .containsEntry("tidegate-event-type", "order.created")
                    .containsEntry("tidegate-subject", "J%C3%B6%22e");
        }
    }

    @Test
    void anEphemeralEventIsSentAndHasNoCursor() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer(
                        (request, out) -> out.whole(201, "application/json", "{\"id\":\"x\",\"status\":\"sent\"}"));
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            Outcome outcome = get(publish(publisher, Identity.ANONYMOUS, frame(null, null)));

            // then
            assertThat(outcome).isEqualTo(new Outcome.Accepted("x", PublishStatus.SENT, null));
        }
    }

    @Test
    void leavesOutWhatTheClientDidNotGive() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer(
                        (request, out) -> out.whole(202, "application/json", "{\"id\":\"x\",\"status\":\"spooled\"}"));
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            Outcome outcome = get(publish(publisher, Identity.ANONYMOUS, frame(null, null)));

            // then
            assertThat(outcome).isEqualTo(new Outcome.Accepted("x", null));
            assertThat(server.nextRequest().headers())
                    .doesNotContainKeys(
                            "tidegate-event-id", "idempotency-key", "tidegate-event-type", "tidegate-subject");
        }
    }

    @ParameterizedTest
    @CsvSource({
        "400, bad_request, BAD_REQUEST",
        "400, channel_invalid, CHANNEL_INVALID",
        "401, unauthenticated, UNAVAILABLE",
        "403, forbidden, FORBIDDEN",
        "404, unknown_namespace, UNKNOWN_NAMESPACE",
        "409, bad_request, BAD_REQUEST",
        "413, too_large, TOO_LARGE",
        "415, bad_request, UNSUPPORTED_MEDIA_TYPE",
        "429, rate_limited, RATE_LIMITED",
        "503, unavailable, UNAVAILABLE",
        "500, internal, INTERNAL",
        "502, , UNAVAILABLE",
        "503, , UNAVAILABLE",
        "418, , BAD_REQUEST",
    })
    void mapsProblemsToTheCodesOfTheContract(int status, @Nullable String code, ErrorCode expected) throws Exception {
        // given
        String body = code == null
                ? "<html>a proxy's page</html>"
                : "{\"type\":\"about:blank\",\"status\":" + status + ",\"code\":\"" + code + "\",\"detail\":\"why\"}";
        try (ScriptedServer server =
                        new ScriptedServer((request, out) -> out.whole(status, "application/problem+json", body));
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            Outcome outcome = get(publish(publisher, JOE, frame(null, null)));

            // then
            assertThat(outcome).isInstanceOfSatisfying(Outcome.Failed.class, f -> {
                assertThat(f.code()).isEqualTo(expected);
                assertThat(f.message())
                        .isEqualTo(
                                status == 401
                                        ? "ingest does not accept this gateway"
                                        : code == null ? "ingest answered " + status : "why");
            });
        }
    }

    @Test
    void refusesWhatCannotBeSentOn() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) -> out.whole(200, "application/json", "{}"));
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            Outcome id = get(publish(publisher, JOE, frame("a\r\nx-injected: 1", null)));
            Outcome type = get(publish(publisher, JOE, frame(null, "größe")));

            // then
            assertThat(id)
                    .isInstanceOfSatisfying(
                            Outcome.Failed.class,
                            f -> assertThat(f.message()).startsWith("event: a character at index 1"));
            assertThat(type)
                    .isInstanceOfSatisfying(
                            Outcome.Failed.class, f -> assertThat(f.code()).isEqualTo(ErrorCode.BAD_REQUEST));
            assertThat(server.requestsWaiting()).isZero();
        }
    }

    @Test
    void boundsWhatIsInFlightAndFreesItAgain() throws Exception {
        // given
        CountDownLatch may = new CountDownLatch(1);
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    may.await();
                    out.whole(200, "application/json", "{\"id\":\"x\",\"status\":\"spooled\"}");
                });
                HttpEventPublisher publisher = publisher(server.url(), 3, Duration.ofSeconds(50))) {
            List<CompletableFuture<Outcome>> within = List.of(
                    publish(publisher, JOE, frame(null, null)),
                    publish(publisher, JOE, frame(null, null)),
                    publish(publisher, JOE, frame(null, null))); // waits for one of two connections

            // when
            Outcome beyond = get(publish(publisher, JOE, frame(null, null)));
            may.countDown();

            // then
            assertThat(beyond)
                    .isInstanceOfSatisfying(
                            Outcome.Failed.class, f -> assertThat(f.code()).isEqualTo(ErrorCode.UNAVAILABLE));
            for (CompletableFuture<Outcome> f : within) {
                assertThat(get(f)).isEqualTo(new Outcome.Accepted("x", null));
            }
            assertThat(get(publish(publisher, JOE, frame(null, null)))).isInstanceOf(Outcome.Accepted.class);
        }
    }

    @Test
    void failsWhenNoAnswerComes() throws Exception {
        // given
        try (ScriptedServer server = new ScriptedServer((request, out) -> new CountDownLatch(1).await());
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofMillis(200))) {
            // when
            Outcome outcome = get(publish(publisher, JOE, frame(null, null)));

            // then
            assertThat(outcome).isEqualTo(new Outcome.Failed(ErrorCode.UNAVAILABLE, "ingest: no progress in time"));
        }
    }

    @Test
    void repeatsOnlyWhatHasAnId() throws Exception {
        // given: a service that takes every request and closes without an answer
        try (ScriptedServer server = new ScriptedServer((request, out) -> {
                    throw new IllegalStateException("cut");
                });
                HttpEventPublisher publisher = publisher(server.url(), 10, Duration.ofSeconds(50))) {
            // when
            get(publish(publisher, JOE, frame(null, null)));
            int without = server.requestsWaiting();
            get(publish(publisher, JOE, frame("again", null)));
            int with = server.requestsWaiting() - without;

            // then
            assertThat(without).isEqualTo(1);
            assertThat(with).isEqualTo(2);
        }
    }
}

package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.JSON;
import static dev.tidegate.replay.ReplayStand.channelIn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import dev.tidegate.protocol.Cursor;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** History for people, who may do what, bad input, and bounds. */
@Timeout(360)
class ReplayHttpTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";

    private final ReplayStand stand = new ReplayStand();

    @AfterEach
    void close() {
        stand.close();
    }

    @Test
    void historyIsReadByCursorCountAndTimeInPagesAndStreams() {
        // given: half of it older than memory
        String channel = "chat:lobby/x#1";
        List<Cursor> all = new ArrayList<>(stand.publishMany(channel, 150));
        stand.startReady("tidegate.replay.recent.fill", "false", "tidegate.replay.page.max-events", "50");
        all.addAll(stand.publishMany(channel, 150));

        // when, then: pages
        List<String> cursors = new ArrayList<>();
        String at = all.getFirst().at(-1).toString();
        boolean complete = false;
        while (!complete) {
            JsonNode page = stand.history(channel, "?limit=40&after=" + at);
            page.get("events").forEach(e -> cursors.add(e.get("cursor").asString()));
            assertThat(page.get("events").size()).isLessThanOrEqualTo(40);
            at = page.get("cursor").asString();
            complete = page.get("complete").asBoolean();
        }
        assertThat(cursors).isEqualTo(all.stream().map(Cursor::toString).toList());

        // when, then: a stream goes over all pages, chained
        HttpResponse<String> stream = stand.get(
                ReplayStand.path(channel) + "?after=" + all.getFirst().at(-1), "Accept", "application/x-ndjson");
        assertThat(stream.headers().firstValue("Content-Type")).hasValue("application/x-ndjson");
        List<JsonNode> frames = stream.body().lines().map(JSON::readTree).toList();
        assertThat(frames).hasSize(300);
        long position = -1;
        for (JsonNode frame : frames) {
            assertThat(frame.get("op").asString()).isEqualTo("event");
            assertThat(frame.get("prev").asLong()).isLessThanOrEqualTo(position);
            position = Cursor.parse(frame.get("cursor").asString()).offset();
        }
        assertThat(stand.get(
                                ReplayStand.path(channel) + "?limit=120&after="
                                        + all.getFirst().at(-1),
                                "Accept",
                                "application/x-ndjson")
                        .body()
                        .lines())
                .hasSize(120);

        // when, then: the newest, and what is given by default
        JsonNode last = stand.history(channel, "?last=3");
        assertThat(last.get("events").get(2).get("data").get("n").asInt()).isEqualTo(149);
        assertThat(last.get("events").size()).isEqualTo(3);
        assertThat(stand.history(channel, "").get("events").size()).isEqualTo(50);
        assertThat(stand.history(channel, "?after=&last=&limit=7").get("events").size())
                .isEqualTo(7);
        assertThat(stand.history("chat:nobody", "").toString()).contains("\"events\":[]", "\"complete\":true");
    }

    @Test
    void historyIsReadFromATimeOn() {
        // given
        String channel = "news";
        stand.publishMany(channel, 5);
        stand.startReady();
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.history(channel, "").get("events").size() == 5);
        long last = stand.history(channel, "?last=1")
                .get("events")
                .get(0)
                .get("time")
                .asLong();
        await().atMost(ReplayStand.PATIENCE).until(() -> System.currentTimeMillis() > last + 1);
        Instant between = Instant.now();
        await().atMost(ReplayStand.PATIENCE).until(() -> System.currentTimeMillis() > between.toEpochMilli() + 1);
        stand.publishMany(channel, 2);

        // when, then
        assertThat(stand.history(channel, "?from=" + between).get("events").size())
                .isEqualTo(2);
        assertThat(stand.history(channel, "?from=" + between.toEpochMilli())
                        .get("events")
                        .size())
                .isEqualTo(2);
        assertThat(stand.history(channel, "?from=0").get("events").size()).isEqualTo(7);
        JsonNode none = stand.history(channel, "?from=2100-01-01T00:00:00Z");
        assertThat(none.get("events").size()).isZero();
        assertThat(none.get("complete").asBoolean()).isTrue();
    }

    @Test
    void whatWasStoredBeforeTheReadIsInIt() {
        // given
        String channel = "news";
        stand.startReady();

        for (int i = 0; i < 20; i++) {
            // when
            stand.publish(channel, Integer.toString(i));

            // then
            assertThat(stand.history(channel, "?last=1")
                            .get("events")
                            .get(0)
                            .get("data")
                            .asInt())
                    .isEqualTo(i);
        }
    }

    @Test
    void gapsAreToldInPagesAndStreams() {
        // given
        String channel = channelIn(0, "news");
        List<Cursor> all = stand.publishMany(channel, 10);
        stand.startReady();
        stand.deleteRecordsBefore(0, 5);

        // when, then
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            JsonNode page = stand.history(channel, "?after=" + all.get(1));
            assertThat(page.get("gap")).isNotNull();
            assertThat(page.get("gap").toString())
                    .isEqualTo("{\"reason\":\"expired\",\"after\":\"" + all.get(1) + "\",\"cursor\":\"" + all.get(4)
                            + "\"}");
            assertThat(page.get("events").size()).isEqualTo(5);
        });
        List<String> lines = stand.get(ReplayStand.path(channel) + "?after=old.0.3", "Accept", "application/x-ndjson")
                .body()
                .lines()
                .toList();
        assertThat(lines).hasSize(6);
        assertThat(lines.getFirst()).startsWith("{\"op\":\"gap\"").contains("\"reason\":\"epoch\"");
    }

    @Test
    void badInputIsAnsweredWithTheFieldAndWhatIsExpected() {
        // given
        stand.publish("news", "1");
        stand.startReady();
        Map<String, String> history = Map.ofEntries(
                Map.entry("/v1/channels/nope:x/events", "404 unknown_namespace channel: namespace 'nope'"),
                Map.entry("/v1/channels/" + "x".repeat(256) + "/events", "400 channel_invalid channel: longer than"),
                Map.entry("/v1/channels/a%20b/events", "400 channel_invalid channel: character U+0020"),
                Map.entry("/v1/channels/a;b/events", "400 channel_invalid channel: character ';'"),
                Map.entry("/v1/channels/a%C3%A9/events", "400 channel_invalid channel: character"),
                Map.entry("/v1/channels/news/events?after=zz", "400 cursor_invalid after: 'zz'"),
                Map.entry("/v1/channels/news/events?last=-1", "400 bad_request last: '-1'"),
                Map.entry("/v1/channels/news/events?limit=0", "400 bad_request limit: '0'"),
                Map.entry("/v1/channels/news/events?limit=x", "400 bad_request limit: 'x'"),
                Map.entry("/v1/channels/news/events?from=noon", "400 bad_request from: 'noon'"),
                Map.entry("/v1/channels/news/events?last=1&from=1", "400 bad_request after, last, from: 2 of them"),
                Map.entry("/v1/channels/news/events?last=1&last=2", "400 bad_request last: given 2 times"),
                Map.entry("/v1/channels/user:bob/events", "401 unauthenticated channel: a token is needed"),
                Map.entry("/v1/channels/a/b/events", "404 bad_request path:"),
                Map.entry("/v1/replay", "405 bad_request method: GET (expected: POST)"));

        // when, then
        history.forEach((path, expected) -> assertProblem(stand.get(path), expected));
        Cursor future = new Cursor(stand.epoch(), ReplayStand.partitionOf("news"), 99);
        assertProblem(
                stand.get("/v1/channels/news/events?after=" + future),
                "400 cursor_invalid after: " + future + " lies beyond the end");
        assertThat(stand.get("/v1/channels/news/events?after=" + future, "Accept", "application/x-ndjson")
                        .statusCode())
                .isEqualTo(400);

        String token = "Bearer " + ReplayStand.SERVICE_TOKEN;
        assertProblem(stand.post("[]"), "401 unauthenticated Authorization: missing");
        assertProblem(stand.post("[]", "Authorization", "Bearer wrong"), "401 unauthenticated Authorization: wrong");
        assertProblem(stand.post("", "Authorization", token), "400 bad_request not JSON at byte 0");
        assertProblem(stand.post("{}", "Authorization", token), "400 bad_request body: not an array");
        assertProblem(stand.post("[]", "Authorization", token), "400 bad_request body: ");
        assertProblem(
                stand.post("[{\"channel\":\"a\",\"after\":\"x.0.1\"}]", "Authorization", token),
                "400 bad_request request 0: upTo: missing (expected: a string)");
        assertProblem(
                stand.post("[" + " ".repeat(1_100_000) + "]", "Authorization", token), "413 too_large body: more than");

        // and the service is alive
        assertThat(stand.history("news", "").get("events").size()).isEqualTo(1);
    }

    @Test
    void readersNeedWhatTheirNamespaceAsks() throws Exception {
        // given
        stand.publish("news", "1");
        stand.publish("orders:eu", "2");
        stand.publish("user:bob", "3");
        stand.startReady(
                "spring.profiles.active", "default",
                "tidegate.auth.hs256-secret", SECRET,
                "tidegate.auth.issuer", "us",
                "tidegate.namespaces.default.anonymous-subscribe", "true",
                "tidegate.namespaces.orders.history-limit", "10",
                "tidegate.namespaces.user.personal", "true");
        String bob = token("bob", "us", null);
        String orders = token("bob", "us", List.of("orders:*"));

        // when, then
        assertThat(read("news", null)).isEqualTo(200);
        assertThat(read("orders:eu", null)).isEqualTo(401);
        assertThat(read("orders:eu", bob)).isEqualTo(200);
        assertThat(read("orders:eu", orders)).isEqualTo(200);
        assertThat(read("news", orders)).isEqualTo(403);
        assertThat(read("user:bob", bob)).isEqualTo(200);
        assertThat(read("user:eve", bob)).isEqualTo(403);
        assertThat(read("user:bob", null)).isEqualTo(401);
        assertThat(read("news", "not.a.jwt")).isEqualTo(401);
        assertThat(read("news", token("bob", "them", null))).isEqualTo(401);
        assertThat(read("news", ReplayStand.SERVICE_TOKEN)).isEqualTo(401);
    }

    private int read(String channel, String token) {
        return token == null
                ? stand.get(ReplayStand.path(channel)).statusCode()
                : stand.get(ReplayStand.path(channel), "Authorization", "Bearer " + token)
                        .statusCode();
    }

    private static String token(String subject, String issuer, List<String> subscribe) throws Exception {
        JWTClaimsSet.Builder claims = new JWTClaimsSet.Builder()
                .subject(subject)
                .issuer(issuer)
                .expirationTime(Date.from(Instant.now().plusSeconds(60)));
        if (subscribe != null) {
            claims.claim("subscribe", subscribe);
        }
        SignedJWT jwt = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims.build());
        jwt.sign(new MACSigner(SECRET));
        return jwt.serialize();
    }

    @Test
    void callsBeyondTheBoundsAreRefusedAtOnceAndTheOthersServed() {
        // given: room for one call, which waits for an event that is not there yet
        String channel = channelIn(0, "news");
        stand.startReady(
                "tidegate.replay.admission.calls", "1",
                "tidegate.replay.admission.call-queue", "1",
                "tidegate.replay.admission.queue-wait", "60s",
                "tidegate.replay.max-wait", "60s");
        Cursor start = new Cursor(stand.epoch(), 0, -1);
        CompletableFuture<List<ReplayStand.Answered>> served = CompletableFuture.supplyAsync(
                () -> stand.replay(stand.after(channel, start, 0)), Thread::startVirtualThread);
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.metric("tidegate_replay_calls_active{call=\"replay\"}") == 1);
        CompletableFuture<List<ReplayStand.Answered>> queued = CompletableFuture.supplyAsync(
                () -> stand.replay(stand.after(channel, start, 0)), Thread::startVirtualThread);
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.metric("tidegate_replay_calls_waiting{call=\"replay\"}") == 1);

        // when
        HttpResponse<String> third = stand.post(
                "[{\"channel\":\"" + channel + "\",\"last\":1,\"upTo\":\"" + start + "\"}]",
                "Authorization",
                "Bearer " + ReplayStand.SERVICE_TOKEN);

        // then
        assertProblem(third, "503 unavailable too many calls at once");
        assertThat(third.headers().firstValue("Retry-After")).hasValue("1");
        assertThat(stand.history("news", "").get("events").size())
                .as("people have places of their own")
                .isZero();

        // and when the event arrives
        stand.publish(channel, "1");

        // then
        assertThat(served.join().getFirst().offsets()).containsExactly(0L);
        assertThat(queued.join().getFirst().offsets()).containsExactly(0L);
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.metric("tidegate_replay_calls_active{call=\"replay\"}") == 0);
    }

    @Test
    void aReaderWhoDoesNotReadIsNotBufferedFor() throws Exception {
        // given: 40 MB of one channel, from Kafka
        String channel = channelIn(0, "big");
        String payload = "\"" + "x".repeat(20_000) + "\"";
        List<String> payloads = new ArrayList<>();
        for (int i = 0; i < 2_000; i++) {
            payloads.add(payload);
        }
        stand.publishAll(channel, payloads);
        stand.startReady("tidegate.replay.recent.fill", "false");

        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), stand.port())) {
            // when
            socket.setReceiveBufferSize(64 << 10);
            OutputStream out = socket.getOutputStream();
            out.write(("GET " + ReplayStand.path(channel) + "?from=0 HTTP/1.1\r\nHost: x\r\n"
                            + "Accept: application/x-ndjson\r\nConnection: close\r\n\r\n")
                    .getBytes(StandardCharsets.US_ASCII));
            out.flush();
            await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_bytes_total") > 0);
            await().atMost(ReplayStand.PATIENCE)
                    .during(java.time.Duration.ofSeconds(1))
                    .until(() -> true);

            // then: what the sockets take (4 MB on the sending side), 1 MB in the server, and two pages
            assertThat(stand.metric("tidegate_replay_bytes_total")).isLessThan(12e6);
            assertThat(stand.metric("tidegate_replay_scan_buffered_bytes")).isLessThan(3e6);

            // and when it reads
            InputStream in = socket.getInputStream();
            byte[] answer = in.readAllBytes();

            // then
            String text = new String(answer, StandardCharsets.UTF_8);
            assertThat(text.split("\"op\":\"event\"", -1)).hasSize(2_001);
            assertThat(text).endsWith("0\r\n\r\n");
        }
        await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_scan_buffered_bytes") == 0);
    }

    @Test
    void aReaderWhoLeavesGivesEverythingBack() throws Exception {
        // given
        String channel = channelIn(0, "big");
        List<String> payloads = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            payloads.add("\"" + "x".repeat(20_000) + "\"");
        }
        stand.publishAll(channel, payloads);
        stand.startReady("tidegate.replay.recent.fill", "false");

        // when
        for (int i = 0; i < 5; i++) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), stand.port())) {
                socket.getOutputStream()
                        .write(("GET " + ReplayStand.path(channel) + "?from=0 HTTP/1.1\r\nHost: x\r\n"
                                        + "Accept: application/x-ndjson\r\n\r\n")
                                .getBytes(StandardCharsets.US_ASCII));
                assertThat(socket.getInputStream().read()).isEqualTo('H');
            }
        }

        // then
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            assertThat(stand.metric("tidegate_replay_calls_active")).isZero();
            assertThat(stand.metric("tidegate_replay_scan_active")).isZero();
            assertThat(stand.metric("tidegate_replay_scan_waiting")).isZero();
            assertThat(stand.metric("tidegate_replay_scan_buffered_bytes")).isZero();
        });
    }

    /** What comes until the connection is closed, or reset since bytes of ours were still on their way. */
    private static String rest(Socket socket) throws IOException {
        StringBuilder answer = new StringBuilder();
        try {
            for (int read = socket.getInputStream().read();
                    read >= 0;
                    read = socket.getInputStream().read()) {
                answer.append((char) read);
            }
        } catch (SocketException e) {
            return answer.toString();
        }
        return answer.toString();
    }

    private Socket send(String request) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), stand.port());
        socket.setSoTimeout(30_000);
        socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
        return socket;
    }

    @Test
    void whatNeverBecomesARequestIsRefusedAsAllOthersAre() throws Exception {
        // given
        stand.startReady("tidegate.replay.admission.body-timeout", "1s");
        String close = "Host: x\r\nConnection: close\r\n";

        // when, then: refused beneath WebFlux
        Map<String, String> refused = Map.of(
                "no http\r\n\r\n",
                "400",
                "GET /v1/%zz HTTP/1.1\r\n" + close + "\r\n",
                "400",
                "GET /" + "x".repeat(5_000) + " HTTP/1.1\r\n" + close + "\r\n",
                "414",
                "GET / HTTP/1.1\r\n" + close + "X: " + "x".repeat(20_000) + "\r\n\r\n",
                "431",
                "GET /nowhere HTTP/1.1\r\n" + close + "\r\n",
                "404",
                "PUT /v1/replay HTTP/1.1\r\n" + close + "Content-Length: 0\r\n\r\n",
                "405",
                // and what does not arrive in time
                "POST /v1/replay HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nAuthorization: Bearer "
                        + ReplayStand.SERVICE_TOKEN + "\r\n\r\n[",
                "408",
                "GET / HTTP/1.1\r\nHost: x\r\nX: ",
                "408");
        for (Map.Entry<String, String> e : refused.entrySet()) {
            try (Socket socket = send(e.getKey())) {
                assertThat(rest(socket))
                        .as(e.getKey().lines().findFirst().orElse(""))
                        .startsWith("HTTP/1.1 " + e.getValue() + " ")
                        .containsIgnoringCase("content-type: application/problem+json")
                        .contains("\"status\":" + e.getValue())
                        .contains("\"code\":\"");
            }
        }
    }

    private static void assertProblem(HttpResponse<String> response, String expected) {
        String[] parts = expected.split(" ", 3);
        assertThat(response.headers().firstValue("Content-Type"))
                .as(response.uri() + " " + response.body())
                .hasValue("application/problem+json");
        JsonNode problem = JSON.readTree(response.body());
        assertThat(response.statusCode() + " " + problem.get("code").asString() + " "
                        + problem.get("detail").asString())
                .startsWith(expected);
        assertThat(problem.get("status").asInt()).isEqualTo(Integer.parseInt(parts[0]));
    }
}

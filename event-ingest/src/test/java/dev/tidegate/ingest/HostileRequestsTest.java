package dev.tidegate.ingest;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.ingest.IngestUnderTest.Answer;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Requests that no HTTP client sends, and more of them than this instance takes. */
@Timeout(360)
class HostileRequestsTest {
    private static final int MAX_REQUESTS = 3;

    /** A bound, not a claim. */
    private static final Duration WITHIN = Duration.ofSeconds(60);

    private static IngestUnderTest ingest;

    @BeforeAll
    static void start() {
        ingest = IngestUnderTest.start(Map.of(
                "tidegate.ingest.admission.max-requests",
                MAX_REQUESTS,
                "tidegate.ingest.admission.body-timeout",
                "4s")); // as long as noRoom has at a time to fill the service, so long has slow() to wait
    }

    @AfterAll
    static void stop() {
        ingest.close();
    }

    @AfterEach
    @DisplayName("Whatever came, the service is alive and has all its room")
    void isWell() {
        await().atMost(WITHIN)
                .untilAsserted(
                        () -> assertThat(ingest.get("/actuator/prometheus").text())
                                .contains("tidegate_ingest_inflight_requests 0.0")
                                .contains("tidegate_ingest_inflight_bytes 0.0"));
        assertThat(ingest.publish("a", "1").status()).isEqualTo(201);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '!',
            value = {
                "BLAH\\r\\n\\r\\n ! 400",
                "POST /v1/channels/a|b/events HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\n\\r\\n1 ! 400",
                "POST /v1/channels/a%zz/events HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\n\\r\\n1 ! 400",
                "POST /v1/channels/a/events HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1\\r\\nContent-Length: 2\\r\\n\\r\\n1 ! 400",
                "POST /v1/channels/a/events HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n ! 400",
                "POST /v1/channels/a/events HTTP/1.1\\r\\nHost: x\\r\\nTidegate-Event-Type: \\0\\r\\n\\r\\n ! 400",
                "POST /v1/channels/{5000}/events HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n ! 414",
                "POST /v1/channels/a/events HTTP/1.1\\r\\nHost: x\\r\\nX: {20000}\\r\\n\\r\\n ! 431",
            })
    @DisplayName("What is no request is answered with a problem all the same, and its connection closed")
    void noRequests(String request, int status) throws IOException {
        // given
        String bytes = request.replace("\\r", "\r")
                .replace("\\n", "\n")
                .replace("\\0", "\0")
                .replace("{5000}", "a".repeat(5_000))
                .replace("{20000}", "a".repeat(20_000));
        try (RawHttp http = new RawHttp(ingest)) {
            // when
            String answer = http.send(bytes).readAll();
            // then
            assertThat(answer)
                    .startsWith("HTTP/1.1 " + status)
                    .containsIgnoringCase("content-type: application/problem+json")
                    .contains("\"status\":" + status)
                    .contains("\"code\":\"bad_request\"");
        }
    }

    @Test
    @DisplayName("A body that is too long by its own account is not even begun")
    void tooLongByItsLength() throws IOException {
        try (RawHttp http = new RawHttp(ingest)) {
            String answer = http.send(RawHttp.head("Content-Length: 65537", "Expect: 100-continue"))
                    .readUntil("}");
            assertThat(answer).startsWith("HTTP/1.1 413").contains("body: 65537 bytes");
        }
    }

    @Test
    @DisplayName("A body that turns out too long is refused then; the rest is dropped and the connection goes on")
    void tooLongByItsChunks() throws IOException {
        try (RawHttp http = new RawHttp(ingest)) {
            // when
            http.send(RawHttp.head("Transfer-Encoding: chunked"));
            for (int i = 0; i < 10; i++) {
                http.send("8000\r\n" + "1".repeat(0x8000) + "\r\n");
            }
            http.send("0\r\n\r\n");
            // then
            assertThat(http.readUntil("}")).startsWith("HTTP/1.1 413").contains("body: more than 65536 bytes");
            assertThat(http.send(RawHttp.head("Content-Length: 1") + "1").readUntil("}"))
                    .startsWith("HTTP/1.1 201");
        }
    }

    @Test
    @DisplayName("A body without end is cut off")
    void endless() throws IOException {
        try (RawHttp http = new RawHttp(ingest)) {
            http.send(RawHttp.head("Transfer-Encoding: chunked"));
            byte[] chunk = ("8000\r\n" + "1".repeat(0x8000) + "\r\n").getBytes(UTF_8);
            long sent = 0;
            try {
                while (sent < 1L << 30) {
                    http.send(chunk);
                    sent += chunk.length;
                }
            } catch (IOException e) {
                assertThat(e).hasMessageMatching("(?i).*(broken pipe|reset|abort).*");
            }
            // socket buffers hold some; nobody reads a gigabyte
            assertThat(sent).isLessThan(64L << 20);
        }
    }

    @Test
    @DisplayName("Headers that never end are answered 408 in time")
    void slowHeaders() throws Exception {
        try (RawHttp http = new RawHttp(ingest)) {
            String answer = http.send("POST /v1/channels/a/events HTTP/1.1\r\nHost: x\r\n")
                    .readAll();
            assertThat(answer)
                    .startsWith("HTTP/1.1 408")
                    .contains("application/problem+json")
                    .contains("headers: they did not arrive in time");
        }
    }

    @Test
    @DisplayName("A body that does not come is not waited for")
    void slow() throws IOException {
        try (RawHttp http = new RawHttp(ingest)) {
            String answer =
                    http.send(RawHttp.head("Content-Length: 10") + "{\"a\"").readUntil("}");
            assertThat(answer).startsWith("HTTP/1.1 408").contains("body: it did not arrive in time");
        }
    }

    @Test
    @DisplayName("More requests than there is room for are told to come again, and are taken once there is room")
    void noRoom() throws IOException {
        // given
        List<RawHttp> holders = new ArrayList<>();
        // when: filled anew each time, since who holds a place is cut off where this machine is slower than its
        // time-out
        Callable<Answer> filled = () -> {
            for (RawHttp holder : holders) {
                holder.close();
            }
            holders.clear();
            for (int i = 0; i < MAX_REQUESTS; i++) {
                holders.add(new RawHttp(ingest).send(RawHttp.head("Content-Length: 10") + "1"));
            }
            return refusalOfOne();
        };
        Answer answer = await().atMost(WITHIN).until(filled, last -> last.status() != 201);
        // then
        assertThat(answer.status()).isEqualTo(429);
        assertThat(answer.json("code")).isEqualTo("rate_limited");
        assertThat(Integer.parseInt(answer.header("Retry-After"))).isPositive();
        // and when one of those goes away, there is room
        holders.getFirst().close();
        await().atMost(WITHIN).until(() -> ingest.publish("a", "1").status() == 201);
        for (RawHttp holder : holders) {
            holder.close();
        }
    }

    /** The first answer that is no yes, or the last of a few: those before it may not have been read yet. */
    private static Answer refusalOfOne() {
        Answer answer = ingest.publish("a", "1");
        for (int i = 0; i < 20 && answer.status() == 201; i++) {
            answer = ingest.publish("a", "1");
        }
        return answer;
    }

    @Test
    void severalRequestsOnOneConnectionAreAnsweredInOrder() throws IOException {
        try (RawHttp http = new RawHttp(ingest)) {
            String one = RawHttp.head("Content-Length: 1", "Tidegate-Event-Id: one") + "1";
            String two = RawHttp.head("Content-Length: 1", "Tidegate-Event-Id: two") + "{";
            String three = RawHttp.head("Content-Length: 1", "Tidegate-Event-Id: three") + "3";
            String answers = http.send(one + two + three).readUntil("\"three\"");
            assertThat(answers).containsSubsequence("201", "\"one\"", "400", "not JSON", "201", "\"three\"");
        }
    }
}

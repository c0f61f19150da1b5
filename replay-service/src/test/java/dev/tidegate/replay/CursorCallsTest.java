package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.JSON;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.testsupport.Backends;
import java.net.URLEncoder;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

/** The calls about durable cursors, over HTTP. */
@Timeout(360)
class CursorCallsTest {
    private static final String TOKEN = "Bearer " + ReplayStand.SERVICE_TOKEN;

    private final ReplayStand stand = new ReplayStand();
    private final String subject = Backends.unique("zoë");

    @AfterEach
    void close() {
        stand.close();
    }

    @Test
    void theyStoreFindListAndDelete() {
        // given
        stand.start("tidegate.postgres.url", Backends.shared().postgres());
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.bean(Postgres.class).prepared());
        String key = "{\"subject\":\"" + subject + "\",\"durable\":\"phone\",\"channel\":\"news\"";

        // when, then
        HttpResponse<String> stored = call("POST", "/v1/cursors/ack", "[" + key + ",\"cursor\":\"k3ZqW1xA.7.10\"}]");
        assertThat(stored.body()).isEqualTo("{\"refused\":[]}");
        assertThat(stored.statusCode()).isEqualTo(200);
        HttpResponse<String> found =
                call("POST", "/v1/cursors/find", "[" + key + "}," + key.replace("news", "x") + "}]");
        assertThat(found.body()).isEqualTo("{\"cursors\":[\"k3ZqW1xA.7.10\",null]}");
        String mine = "/v1/cursors?subject=" + URLEncoder.encode(subject, StandardCharsets.UTF_8);
        JsonNode page = JSON.readTree(call("GET", mine + "&limit=1", "").body());
        assertThat(page.at("/cursors/0/subject").asString()).isEqualTo(subject);
        assertThat(page.at("/cursors/0/cursor").asString()).isEqualTo("k3ZqW1xA.7.10");
        String next = mine + "&page=" + page.get("page").asString();
        assertThat(call("GET", next, "").body()).isEqualTo("{\"cursors\":[]}");
        assertThat(call("DELETE", mine, "").body()).isEqualTo("{\"deleted\":1}");
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            assertThat(stand.metric("tidegate_replay_cursors_stored_total")).isEqualTo(1);
            assertThat(stand.metric("tidegate_replay_cursors_found_total")).isEqualTo(1);
        });
    }

    @Test
    void theyRefuseWhoMayNotAndWhatIsWrong() {
        // given
        stand.start();
        String key = "{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c\"}";

        // when, then
        assertThat(stand.get("/v1/cursors").statusCode()).isEqualTo(401);
        assertThat(stand.get("/v1/cursors/ack").statusCode()).isEqualTo(401);
        assertThat(call("GET", "/v1/cursors/ack", "").statusCode()).isEqualTo(405);
        assertThat(call("POST", "/v1/cursors", "[]").statusCode()).isEqualTo(405);
        assertThat(call("POST", "/v1/cursors/ack", "[" + key + "]").body())
                .contains("cursor 0: cursor: missing (expected: a string)");
        assertThat(call("GET", "/v1/cursors?limit=0", "").body()).contains("limit: '0' (expected: 1 to 1000)");
        assertThat(call("GET", "/v1/cursors?page=x", "").body()).contains("page: (expected");
        assertThat(call("DELETE", "/v1/cursors", "").body()).contains("subject: missing");
        HttpResponse<String> none = call("POST", "/v1/cursors/find", "[" + key + "]");
        assertThat(none.statusCode()).isEqualTo(400);
        assertThat(none.body()).contains("no cursors are kept here");
    }

    @Test
    void withoutPostgresTheyAreUnavailable() {
        // given: nobody listens there
        stand.start("tidegate.postgres.url", "postgresql://postgres@127.0.0.1:1/postgres");

        // when
        HttpResponse<String> found =
                call("POST", "/v1/cursors/find", "[{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c\"}]");

        // then
        assertThat(found.statusCode()).isEqualTo(503);
        assertThat(found.body()).contains("\"code\":\"unavailable\"");
        assertThat(stand.metric("tidegate_replay_postgres_up")).isZero();
        stand.awaitReady();
    }

    private HttpResponse<String> call(String method, String path, String body) {
        return stand.send(HttpRequest.newBuilder(stand.uri(path))
                .header("Authorization", TOKEN)
                .method(method, HttpRequest.BodyPublishers.ofString(body))
                .build());
    }
}

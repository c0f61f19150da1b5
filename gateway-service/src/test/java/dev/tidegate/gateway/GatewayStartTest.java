package dev.tidegate.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tidegate.gateway.auth.AccessPolicy;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

@ExtendWith(OutputCaptureExtension.class)
class GatewayStartTest {
    private static HttpResponse<String> get(EdgeUnderTest edge, String path) throws Exception {
        try (HttpClient http = HttpClient.newHttpClient()) {
            return http.send(
                    HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + edge.port() + path))
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
        }
    }

    @Test
    void aWrongSettingEndsTheStartWithOneLineThatNamesIt(CapturedOutput output) {
        assertThatThrownBy(() -> EdgeUnderTest.start(Map.of("tidegate.gateway.loops", 99)))
                .isNotNull();
        assertThat(output).contains("tidegate.gateway.loops: 99 (expected: 0 to 64)");
        assertThat(output).doesNotContain("\tat ");
    }

    @Test
    void aMisspelledSettingEndsTheStart(CapturedOutput output) {
        assertThatThrownBy(() -> EdgeUnderTest.start(Map.of("tidegate.gateway.lops", 1)))
                .isNotNull();
        assertThat(output).contains("tidegate.gateway.lops");
    }

    @Test
    void becomesReadyWithTheTailAndSaysSoOnce(CapturedOutput output) throws Exception {
        // given: a core whose tailer still reads
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of(EdgeUnderTest.STARTS_CAUGHT_UP, false))) {
            String line = "gateway-service ready on http://127.0.0.1:" + edge.port() + " (pid "
                    + ProcessHandle.current().pid() + ", transport ";
            assertThat(get(edge, "/actuator/health/liveness").statusCode()).isEqualTo(200);
            assertThat(get(edge, "/actuator/health/readiness").statusCode()).isEqualTo(503);
            assertThat(output).doesNotContain(line);

            // when
            edge.core().caughtUp = true;

            // then
            assertThat(get(edge, "/actuator/health/readiness").statusCode()).isEqualTo(200);
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(() -> assertThat(output).containsOnlyOnce(line));
        }
    }

    @Test
    void drainsBeforeTheServerStops() throws Exception {
        // given
        EdgeUnderTest edge = EdgeUnderTest.start(Map.of("tidegate.gateway.drain-timeout", "300ms"));
        EdgeUnderTest.FakeCore core = edge.core();

        // when
        edge.close();

        // then
        assertThat(core.drains).isEqualTo(List.of(Duration.ofMillis(300)));
        assertThat(core.serverWasUpWhileDraining).isTrue();
    }

    @Test
    void theDevelopmentProfileLetsEverybodyInAndThePlainOneNobody() {
        try (EdgeUnderTest dev = EdgeUnderTest.start(Map.of());
                EdgeUnderTest plain = EdgeUnderTest.start(Map.of("spring.profiles.active", "other"))) {
            assertThat(dev.context().getBean(AccessPolicy.class).anonymousAllowed())
                    .isTrue();
            assertThat(plain.context().getBean(AccessPolicy.class).anonymousAllowed())
                    .isFalse();
        }
    }

    @Test
    void showsItsMeters() throws Exception {
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of())) {
            assertThat(get(edge, "/actuator/prometheus").body())
                    .contains("tidegate_gateway_handshakes_total{format=\"ws\",outcome=\"opened\"}")
                    .contains("jvm_memory_used_bytes");
            assertThat(get(edge, "/").body()).contains("<html");
        }
    }
}

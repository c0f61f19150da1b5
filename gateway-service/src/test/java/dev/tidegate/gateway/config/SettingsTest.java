package dev.tidegate.gateway.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.fanout.Delivery;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.assertj.core.util.Throwables;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

class SettingsTest {
    private static <T> T bind(String prefix, Class<T> type, Map<String, ?> properties) {
        return new Binder(new MapConfigurationPropertySource(properties)).bindOrCreate(prefix, type);
    }

    @Test
    void everythingHasADefault() {
        // when
        GatewaySettings gateway = bind("tidegate.gateway", GatewaySettings.class, Map.of());
        FanoutSettings fanout = bind("tidegate.fanout", FanoutSettings.class, Map.of());
        AuthSettings auth = bind("tidegate.auth", AuthSettings.class, Map.of());
        NamespaceSettings namespaces = bind("tidegate", NamespaceSettings.class, Map.of());

        // then
        assertThat(gateway.heartbeat()).isEqualTo(Duration.ofSeconds(25));
        assertThat(gateway.limits().maxFrameBytes().toBytes()).isEqualTo(128 * 1024);
        assertThat(gateway.limits().subscriptionsPerConnection()).isEqualTo(1000);
        assertThat(gateway.compression().enabled()).isFalse();
        assertThat(gateway.effectiveLoops()).isBetween(1, GatewaySettings.MAX_LOOPS);
        assertThat(fanout.topic()).isEqualTo("fanout");
        assertThat(fanout.maxPayloadBytes().toBytes()).isEqualTo(65536);
        assertThat(auth.anonymous()).isFalse();
        assertThat(namespaces.namespaces()).isEmpty();
    }

    @Test
    void namesMayBeWrittenInTheUsualWays() {
        // when
        GatewaySettings gateway = bind(
                "tidegate.gateway",
                GatewaySettings.class,
                Map.of(
                        "tidegate.gateway.transport", "IO-URING",
                        "tidegate.gateway.heartbeat", "500ms",
                        "tidegate.gateway.limits.max-frame-bytes", "64KB",
                        "tidegate.gateway.allowed-origins", "https://a.example,http://localhost:3000"));

        // then
        assertThat(gateway.transport()).isEqualTo(TransportKind.IO_URING);
        assertThat(gateway.heartbeat()).isEqualTo(Duration.ofMillis(500));
        assertThat(gateway.limits().maxFrameBytes().toBytes()).isEqualTo(65536);
        assertThat(gateway.allowedOrigins()).containsExactly("https://a.example", "http://localhost:3000");
    }

    @Test
    void aNamespaceNeedsNothingButItsName() {
        // when
        Map<String, NamespaceSettings.Namespace> bound = bind(
                        "tidegate",
                        NamespaceSettings.class,
                        Map.of(
                                "tidegate.namespaces.chat", "",
                                "tidegate.namespaces.quotes.slow-client", "conflate",
                                "tidegate.namespaces.user.personal", "true"))
                .namespaces();

        // then
        assertThat(bound.get("chat"))
                .isEqualTo(new NamespaceSettings.Namespace(
                        1000, false, null, null, true, SlowClient.PARK, Delivery.ORDERED, false));
        assertThat(bound.get("user").personal()).isTrue();
        assertThat(bound.get("quotes").slowClient()).isEqualTo(SlowClient.CONFLATE);
    }

    @Test
    void conflatingNeedsAnOrder() {
        Map<String, String> properties = Map.of(
                "tidegate.namespaces.quotes.slow-client", "conflate", "tidegate.namespaces.quotes.delivery", "fastest");
        assertThatThrownBy(() -> bind("tidegate", NamespaceSettings.class, properties))
                .rootCause()
                .hasMessageStartingWith("tidegate.namespaces.quotes.slow-client: conflate (expected: park, drop or"
                        + " disconnect while tidegate.namespaces.quotes.delivery is fastest");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tidegate.gateway.loops | 65 | tidegate.gateway.loops: 65 (expected: 0 to 64)",
                "tidegate.gateway.heartbeat | 1ms | tidegate.gateway.heartbeat: 1ms (expected: 100ms to 600s)",
                "tidegate.gateway.kafka | ' ' | tidegate.gateway.kafka: '' (expected: host:port, …)",
                "tidegate.gateway.limits.max-frame-bytes | 1 | tidegate.gateway.limits.max-frame-bytes: 1 (expected: 1024 to 16777216 bytes)",
                "tidegate.gateway.limits.connections | 0 | tidegate.gateway.limits.connections: 0 (expected: 1 to 2147483647)",
                "tidegate.gateway.socket.write-buffer-high | 1KB | tidegate.gateway.socket.write-buffer-high: 1024 (expected: 32768 to 1073741824 bytes)",
                "tidegate.gateway.socket.unsent | 1KB | tidegate.gateway.socket.unsent: 1024 (expected: 4096 to 1073741824 bytes)",
                "tidegate.gateway.replay.url | ftp://x | tidegate.gateway.replay.url: ftp://x (expected: http://host:port or https://host:port)",
                "tidegate.gateway.ingest.url | nowhere | tidegate.gateway.ingest.url: nowhere (expected: http://host:port or https://host:port)",
                "tidegate.gateway.redis.hedge-after | 1ms | tidegate.gateway.redis.hedge-after: 1ms (expected: 10ms to 60s)",
                "tidegate.gateway.allowed-origins | example.com | tidegate.gateway.allowed-origins: example.com (expected: * or scheme://host[:port])",
                "tidegate.gateway.compression.level | 0 | tidegate.gateway.compression.level: 0 (expected: 1 to 9)",
                "tidegate.gateway.compression.threshold | 2MB | tidegate.gateway.compression.threshold: 2097152 (expected: 1 to 1048576 bytes)",
                "tidegate.fanout.topic | a/b | tidegate.fanout.topic: a/b (expected: a Kafka topic name)",
                "tidegate.auth.hs256-secret | short | tidegate.auth.hs256-secret: 5 bytes (expected: at least 32 bytes)",
                "tidegate.auth.jwks-url | file:/etc/passwd | tidegate.auth.jwks-url: file:/etc/passwd (expected: http://host:port or https://host:port)",
                "tidegate.namespaces.a.history-limit | -1 | tidegate.namespaces.a.history-limit: -1 (expected: 0 to 1000000)",
            })
    void aWrongValueIsNamedWithWhatIsExpected(String name, String value, String message) {
        Map<String, String> properties = new HashMap<>(Map.of(name, value));
        assertThatThrownBy(() -> {
                    bind("tidegate.gateway", GatewaySettings.class, properties);
                    bind("tidegate.fanout", FanoutSettings.class, properties);
                    bind("tidegate.auth", AuthSettings.class, properties);
                    bind("tidegate", NamespaceSettings.class, properties);
                })
                .satisfies(e -> {
                    Throwable root = Throwables.getRootCause(e);
                    assertThat(root).isInstanceOf(InvalidSetting.class).hasMessage(message);
                });
    }

    @Test
    void secretsAreNotInTheText() {
        // given
        AuthSettings auth = bind(
                "tidegate.auth",
                AuthSettings.class,
                Map.of(
                        "tidegate.auth.hs256-secret", "0123456789abcdef0123456789abcdef",
                        "tidegate.auth.service-token", "service-token-1234"));

        // then
        assertThat(auth.toString()).doesNotContain("0123456789abcdef").doesNotContain("service-token-1234");
    }
}

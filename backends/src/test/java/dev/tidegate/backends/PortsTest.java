package dev.tidegate.backends;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PortsTest {

    @Test
    void theVariableOrTheDefault() {
        // then
        assertThat(Ports.of(Map.of("P", " 7001 "), "P", 9092)).isEqualTo(7001);
        assertThat(Ports.of(Map.of("P", "0"), "P", 9092)).isZero();
        assertThat(Ports.of(Map.of("P", " "), "P", 9092)).isEqualTo(9092);
        assertThat(Ports.of(Map.of(), "P", 9092)).isEqualTo(9092);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "65536", "kafka", "9092x", "99999999999"})
    void whatIsNoPortIsToldWithItsName(String value) {
        // then
        assertThatThrownBy(() -> Ports.of(Map.of("TIDEGATE_KAFKA_PORT", value), "TIDEGATE_KAFKA_PORT", 1))
                .isInstanceOf(StartFailure.class)
                .hasMessageStartingWith("TIDEGATE_KAFKA_PORT: " + value + " (expected: ");
    }

    @Test
    void aTakenPortIsToldWithTheVariableThatChangesIt() throws IOException {
        // given
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            // then
            assertThatThrownBy(
                            () -> Ports.requireFree("redis", "127.0.0.1", taken.getLocalPort(), "TIDEGATE_REDIS_PORT"))
                    .isInstanceOf(StartFailure.class)
                    .hasMessageContaining("port " + taken.getLocalPort() + " for redis is taken")
                    .hasMessageContaining("TIDEGATE_REDIS_PORT");
        }
        assertThatCode(() -> Ports.requireFree("redis", "127.0.0.1", 0, "TIDEGATE_REDIS_PORT"))
                .doesNotThrowAnyException();
    }

    @Test
    void aPickedPortIsForWhoPickedItAndNobodyElse() throws IOException {
        // given
        int picked = Ports.free();

        // then a server that reuses addresses, as all of ours do, can have it
        try (ServerSocket ours = new ServerSocket()) {
            ours.setReuseAddress(true);
            ours.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), picked));
            assertThat(ours.isBound()).isTrue();
        }
        // and who picks does not get it
        try (ServerSocket another = new ServerSocket()) {
            another.setReuseAddress(false);
            assertThatThrownBy(() -> another.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), picked)))
                    .isInstanceOf(BindException.class);
        }
    }

    @Test
    void pickedPortsLieBelowThoseOfOutgoingConnections() {
        // then
        for (int i = 0; i < 50; i++) {
            assertThat(Ports.free()).isBetween(15_000, 31_999);
        }
    }
}

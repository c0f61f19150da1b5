package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Socket;
import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(480)
class BackendsTest {

    @Test
    @DisplayName("one set per JVM, whose addresses take connections")
    void shared() throws Exception {
        // when
        Backends backends = Backends.shared();
        // then
        assertThat(Backends.shared()).isSameAs(backends);
        for (String address : new String[] {"kafka://" + backends.kafka(), backends.redis(), backends.postgres()}) {
            URI uri = URI.create(address);
            try (Socket socket = new Socket(uri.getHost(), uri.getPort())) {
                assertThat(socket.isConnected()).isTrue();
            }
        }
        assertThat(backends.environment()).containsOnlyKeys("TIDEGATE_KAFKA", "TIDEGATE_REDIS", "TIDEGATE_POSTGRES");
    }

    @Test
    @DisplayName("external ones are those that the variables name")
    void external() {
        // when
        Backends backends =
                ExternalBackends.of(Map.of("TIDEGATE_KAFKA", "k:1", "TIDEGATE_POSTGRES", "postgresql://u@p:2/d"));
        // then
        assertThat(backends.environment())
                .containsEntry("TIDEGATE_KAFKA", "k:1")
                .containsEntry("TIDEGATE_REDIS", "redis://127.0.0.1:6379")
                .containsEntry("TIDEGATE_POSTGRES", "postgresql://u@p:2/d");
    }
}

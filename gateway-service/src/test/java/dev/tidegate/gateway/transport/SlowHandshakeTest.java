package dev.tidegate.gateway.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.gateway.EdgeUnderTest;
import dev.tidegate.intake.Intake;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Clients that open connections and do not finish, or take their time over, the handshake. */
@Timeout(120)
class SlowHandshakeTest {
    private static final Duration WITHIN = Duration.ofSeconds(30);
    private static final String HANDSHAKE = """
            GET /v1/ws HTTP/1.1
            Host: x
            Connection: Upgrade
            Upgrade: websocket
            Sec-WebSocket-Version: 13
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==

            """.replace("\n", "\r\n");

    private static Intake intake(EdgeUnderTest edge) {
        return edge.context().getBean(Intake.class);
    }

    @Test
    @DisplayName("A handshake of which a byte comes now and then ends in time, however steadily they come")
    void dripping() throws Exception {
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of("tidegate.gateway.socket.http-head", "2s"));
                RawHttp slow = new RawHttp(edge.port())) {
            Intake intake = intake(edge);
            // when: well below the idle timeout, and never whole
            String drop = "G";
            while (intake.late() == 0) {
                try {
                    slow.send(drop);
                } catch (IOException e) {
                    break; // closed meanwhile
                }
                drop = "E";
                LockSupport.parkNanos(50_000_000); // the drip, not a wait for anything
            }
            // then
            await().atMost(WITHIN).until(() -> intake.late() == 1 && intake.connections() == 0);
            // and one that is served stays, and is not counted
            try (RawHttp client = new RawHttp(edge.port())) {
                assertThat(client.send(HANDSHAKE).head().status()).isEqualTo(101);
                var _ = edge.nextOpened();
                await().atMost(WITHIN).until(() -> intake.connections() == 0);
            }
            assertThat(intake.late()).isEqualTo(1);
        }
    }

    @Test
    @DisplayName("Connections without a handshake are bounded in number, and those that have waited longest make room")
    void bounded() throws Exception {
        try (EdgeUnderTest edge = EdgeUnderTest.start(Map.of(
                        "tidegate.gateway.loops", 1,
                        "tidegate.gateway.limits.http-connections", 2,
                        "tidegate.gateway.socket.http-head", "60s"));
                RawHttp first = new RawHttp(edge.port());
                RawHttp second = new RawHttp(edge.port())) {
            Intake intake = intake(edge);
            first.send("G");
            second.send("G");
            await().atMost(WITHIN).until(() -> intake.connections() == 2);
            // when others come, again and again: refused until one of those has waited for a second
            await().atMost(WITHIN).until(() -> {
                try (RawHttp client = new RawHttp(edge.port())) {
                    return client.send(HANDSHAKE).head().status() == 101;
                } catch (IOException | RuntimeException e) {
                    return false; // refused, the answer lost with the connection
                }
            });
            // then
            assertThat(intake.displaced()).isPositive();
            assertThat(intake.connections()).isLessThanOrEqualTo(2);
            assertThat(first.read()).isEqualTo(-1);
        }
    }
}

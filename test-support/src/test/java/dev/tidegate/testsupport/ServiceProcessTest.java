package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(360)
class ServiceProcessTest {

    @Test
    @DisplayName("a backend is killed, comes back on its port with its data, is frozen, thawed, and stopped")
    void drill() throws Exception {
        try (ServiceProcess redis = ServiceProcess.of(ServiceProcess.Kind.REDIS).start()) {
            // given
            int port = redis.port();
            long firstPid = redis.pid();
            assertThat(ask(port, "SET k v", 30_000)).startsWith("+OK");
            assertThat(ask(port, "BGREWRITEAOF", 30_000)).startsWith("+");
            // when
            redis.kill();
            assertThat(redis.isAlive()).isFalse();
            redis.start();
            // then
            assertThat(redis.port()).isEqualTo(port);
            assertThat(redis.pid()).isNotEqualTo(firstPid);
            assertThat(ask(port, "PING", 30_000)).startsWith("+PONG");
            // and frozen it answers nothing until it is thawed
            redis.freeze();
            assertThatThrownBy(() -> ask(port, "PING", 300)).isInstanceOf(SocketTimeoutException.class);
            redis.thaw();
            assertThat(ask(port, "PING", 30_000)).startsWith("+PONG");
            // and it stops in order
            assertThat(redis.terminate()).isEqualTo("exit code 143");
            assertThat(redis.address()).containsEntry("TIDEGATE_REDIS", "redis://127.0.0.1:" + port);
        }
    }

    @Test
    @DisplayName("Kafka is killed and comes back on its port with its topics")
    void kafka() throws Exception {
        try (ServiceProcess kafka = ServiceProcess.of(ServiceProcess.Kind.KAFKA).start();
                Admin admin = Admin.create(Map.of("bootstrap.servers", "127.0.0.1:" + kafka.port()))) {
            // given
            admin.createTopics(List.of(new NewTopic("kept", 2, (short) 1)))
                    .all()
                    .get(60, TimeUnit.SECONDS);
            // when
            kafka.kill();
            kafka.start();
            // then
            assertThat(admin.listTopics().names().get(60, TimeUnit.SECONDS)).contains("kept");
        }
    }

    private static String ask(int port, String command, int timeoutMs) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(timeoutMs);
            socket.getOutputStream().write((command + "\r\n").getBytes(StandardCharsets.US_ASCII));
            byte[] answer = new byte[64];
            return new String(answer, 0, socket.getInputStream().read(answer), StandardCharsets.US_ASCII);
        }
    }
}

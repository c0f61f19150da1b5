package dev.tidegate.testsupport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.backends.Ports;
import dev.tidegate.testsupport.FaultyLink.Direction;
import dev.tidegate.testsupport.FaultyLink.Ending;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(180)
class FaultyLinkTest {

    /** For what must come: a bound, not a claim. */
    private static final int PATIENCE_MS = 60_000;

    /** For what must not come: long enough for a byte that nobody holds to cross loopback on a busy machine. */
    private static final int SILENCE_MS = 300;

    private ServerSocket server;
    private final BlockingQueue<Socket> served = new LinkedBlockingQueue<>();
    private FaultyLink link;

    /** The target keeps each connection for the test to speak on. */
    @BeforeEach
    void open() throws IOException {
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            try {
                while (true) {
                    served.add(server.accept());
                }
            } catch (IOException closed) {
                // the end of the test
            }
        });
        link = FaultyLink.to(server.getLocalPort());
    }

    @AfterEach
    void close() throws IOException {
        link.close();
        server.close();
        for (Socket socket : served) {
            socket.close();
        }
    }

    private Socket connect() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), link.port());
        socket.setSoTimeout(PATIENCE_MS);
        return socket;
    }

    private Socket target() throws InterruptedException, IOException {
        Socket socket = served.poll(PATIENCE_MS, TimeUnit.MILLISECONDS);
        assertThat(socket).as("a connection at the target").isNotNull();
        socket.setSoTimeout(PATIENCE_MS);
        return socket;
    }

    private static void say(Socket socket, String words) throws IOException {
        socket.getOutputStream().write(words.getBytes(StandardCharsets.US_ASCII));
    }

    private static String hear(Socket socket, int count) throws IOException {
        return new String(socket.getInputStream().readNBytes(count), StandardCharsets.US_ASCII);
    }

    private static void assertSilent(Socket socket) throws IOException {
        int before = socket.getSoTimeout();
        socket.setSoTimeout(SILENCE_MS);
        assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketTimeoutException.class);
        socket.setSoTimeout(before);
    }

    private static Duration since(long begun) {
        return Duration.ofNanos(System.nanoTime() - begun);
    }

    @Test
    @DisplayName("passes bytes both ways, and the end of each direction by itself")
    void passes() throws Exception {
        // given
        try (Socket client = connect();
                Socket target = target()) {
            // when
            say(client, "ping");
            assertThat(hear(target, 4)).isEqualTo("ping");
            client.shutdownOutput();
            // then the other direction goes on
            assertThat(target.getInputStream().read()).isEqualTo(-1);
            say(target, "pong");
            assertThat(hear(client, 4)).isEqualTo("pong");
            target.shutdownOutput();
            assertThat(client.getInputStream().read()).isEqualTo(-1);
            assertThat(link.bytes(Direction.TO_TARGET)).isEqualTo(4);
            assertThat(link.bytes(Direction.TO_CLIENT)).isEqualTo(4);
        }
    }

    @Test
    @DisplayName("a delay of one direction holds each byte that long, in order, and ends with pass()")
    void delays() throws Exception {
        try (Socket client = connect();
                Socket target = target()) {
            // given
            link.delay(Direction.TO_TARGET, Duration.ofMillis(200), Duration.ofMillis(50));
            // when
            long begun = System.nanoTime();
            for (int i = 0; i < 10; i++) {
                say(client, Integer.toString(i));
            }
            // then
            assertThat(hear(target, 10)).isEqualTo("0123456789");
            assertThat(since(begun)).isGreaterThanOrEqualTo(Duration.ofMillis(200));
            // and the other direction is not concerned
            say(target, "now");
            assertThat(hear(client, 3)).isEqualTo("now");

            // and what an endless delay holds comes with pass()
            link.delay(Direction.TO_TARGET, Duration.ofDays(1), Duration.ZERO);
            say(client, "late");
            assertSilent(target);
            link.pass();
            assertThat(hear(target, 4)).isEqualTo("late");
        }
    }

    @Test
    @DisplayName("a throttle lets so many bytes a second through, all connections together")
    void throttles() throws Exception {
        try (Socket first = connect();
                Socket firstTarget = target();
                Socket second = connect();
                Socket secondTarget = target()) {
            // given
            link.throttle(Direction.TO_TARGET, 20_000);
            // when: half a second's worth each
            long begun = System.nanoTime();
            say(first, "x".repeat(10_000));
            say(second, "y".repeat(10_000));
            // then
            assertThat(hear(firstTarget, 10_000)).containsOnlyOnce("x".repeat(10_000));
            assertThat(hear(secondTarget, 10_000)).containsOnlyOnce("y".repeat(10_000));
            // the last step of each is let go when its place begins
            assertThat(since(begun)).isGreaterThanOrEqualTo(Duration.ofMillis(850));
        }
    }

    @Test
    @DisplayName("frozen in one direction or both, nothing moves and nobody is told; thawed, nothing is missing")
    void freezes() throws Exception {
        try (Socket client = connect();
                Socket target = target()) {
            // given: one direction
            link.freeze(Direction.TO_CLIENT);
            // when
            say(client, "question");
            assertThat(hear(target, 8)).isEqualTo("question");
            say(target, "answer");
            // then
            assertSilent(client);
            // and both, for a new connection too
            link.freeze();
            try (Socket late = connect()) {
                say(late, "hello");
                Socket lateTarget = target();
                assertSilent(lateTarget);
                // and thawed
                link.thaw();
                assertThat(hear(client, 6)).isEqualTo("answer");
                assertThat(hear(lateTarget, 5)).isEqualTo("hello");
            }
        }
    }

    @Test
    @DisplayName("a silent link takes connections, leads them nowhere and leaves the old ones alone")
    void keepsSilent() throws Exception {
        try (Socket old = connect();
                Socket oldTarget = target()) {
            // given
            link.silence();
            // when
            try (Socket client = connect()) {
                say(client, "anybody?");
                // then
                assertSilent(client);
                assertThat(served).isEmpty();
                say(old, "here");
                assertThat(hear(oldTarget, 4)).isEqualTo("here");
                // and after it the next one is led to the target
                link.pass();
                try (Socket next = connect()) {
                    say(next, "well?");
                    assertThat(hear(target(), 5)).isEqualTo("well?");
                    assertSilent(client);
                }
            }
        }
    }

    @Test
    @DisplayName("cut with a reset or in order, both sides notice in that way; new connections end until pass()")
    void cuts() throws Exception {
        // given
        Socket client = connect();
        Socket target = target();
        // when
        link.cut(Ending.RST);
        // then
        assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
        assertThatThrownBy(() -> target.getInputStream().read()).isInstanceOf(SocketException.class);
        // and
        assertEndsAtOnce();
        assertThat(served).isEmpty();
        // and given
        link.pass();
        Socket next = connect();
        Socket nextTarget = target();
        say(next, "hi");
        assertThat(hear(nextTarget, 2)).isEqualTo("hi");
        // when
        link.cut(Ending.FIN);
        // then
        assertThat(next.getInputStream().read()).isEqualTo(-1);
        assertThat(nextTarget.getInputStream().read()).isEqualTo(-1);
        // and a flaw of a moment
        link.pass();
        Socket last = connect();
        target();
        link.tear(Ending.RST);
        assertThatThrownBy(() -> last.getInputStream().read()).isInstanceOf(SocketException.class);
        try (Socket again = connect()) {
            say(again, "!");
            assertThat(hear(target(), 1)).isEqualTo("!");
        }
    }

    private void assertEndsAtOnce() throws IOException {
        try (Socket refused = new Socket()) {
            refused.setSoTimeout(PATIENCE_MS);
            assertThatThrownBy(() -> {
                        refused.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), link.port()));
                        refused.getInputStream().read();
                    })
                    .isInstanceOf(SocketException.class);
        }
    }

    @Test
    @DisplayName("a receiver that does not read stops the sender: what is under way is bounded")
    void pressesBack() throws Exception {
        try (Socket client = connect();
                Socket target = target()) {
            // given: a sender that sends for ever
            AtomicLong sent = new AtomicLong();
            byte[] block = new byte[64 * 1024];
            Thread.ofVirtual().start(() -> {
                try {
                    while (true) {
                        client.getOutputStream().write(block);
                        sent.addAndGet(block.length);
                    }
                } catch (IOException closed) {
                    // the end of the test
                }
            });
            // when it has been stopped; a busy machine may leave it alone for a while
            long seen = -1;
            for (int silent = 0; silent < 4 || seen == 0; ) {
                assertSilent(client);
                silent = seen == sent.get() ? silent + 1 : 0;
                seen = sent.get();
                assertThat(seen)
                        .as("bytes taken from a sender whose receiver does not read")
                        .isLessThan(64L << 20);
            }
            // then what has been taken stands in the sockets, and flows once it is read
            assertThat(link.bytes(Direction.TO_TARGET)).isLessThanOrEqualTo(seen);
            // A block is counted once all of it has been written, so before the first byte of the next one.
            target.getInputStream().skipNBytes(seen + block.length + 1);
            assertThat(sent.get()).isGreaterThan(seen);
        }
    }

    @Test
    @DisplayName("a target that refuses is told as a reset, and a wrong setting by its name")
    void refuses() throws Exception {
        // given
        int nobody = Ports.free();
        try (FaultyLink dead = FaultyLink.to(nobody);
                Socket client = new Socket(InetAddress.getLoopbackAddress(), dead.port())) {
            client.setSoTimeout(PATIENCE_MS);
            // when // then
            assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketException.class);
        }
        assertThatThrownBy(() -> link.throttle(Direction.TO_CLIENT, 0))
                .hasMessage("bytesPerSecond: 0 (expected: more than 0)");
        assertThatThrownBy(() -> link.delay(Direction.TO_CLIENT, Duration.ofMillis(-1), Duration.ZERO))
                .hasMessageStartingWith("delay: ");
    }
}

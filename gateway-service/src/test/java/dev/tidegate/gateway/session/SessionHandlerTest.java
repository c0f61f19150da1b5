package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.handler.codec.DecoderException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What arrives on the wire: fragments, control frames between them, and every kind of violation with its close code. */
class SessionHandlerTest {
    private static final int TEXT = 1;
    private static final int BINARY = 2;
    private static final int CONTINUATION = 0;
    private static final int CLOSE = 8;
    private static final int PING = 9;
    private static final int PONG = 10;

    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        peer = shard.connect();
        assertThat(peer.readOne()).contains("\"op\":\"connected\"");
    }

    @AfterEach
    void nothingIsLeft() {
        peer.channel.disconnect0();
        shard.runLoop();
        peer.channel.dropInbound();
        assertThat(shard.metrics.connections.sum()).isZero();
        assertThat(shard.metrics.faults.sum()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
        assertThat(shard.allocator.metric().usedHeapMemory()).isZero();
    }

    @Test
    void joinsFragmentsWithAPingBetweenThem() {
        // given
        byte[] json = "{\"op\":\"ping\",\"id\":7}".getBytes(StandardCharsets.UTF_8);

        // when
        peer.frame(false, TEXT, Arrays.copyOfRange(json, 0, 4));
        peer.frame(true, PING, new byte[] {1, 2, 3});
        peer.frame(false, CONTINUATION, Arrays.copyOfRange(json, 4, 9));
        peer.frame(true, CONTINUATION, Arrays.copyOfRange(json, 9, json.length));

        // then
        assertThat(peer.readOne()).isEqualTo("{\"op\":\"pong\",\"id\":7}");
        assertThat(peer.pongs).hasSize(1);
        assertThat(peer.pongs.getFirst()).containsExactly(1, 2, 3);
    }

    @Test
    void takesACharacterThatIsSplitOverFragments() {
        // given: the two bytes of an e with an accent in two frames
        byte[] json = "{\"op\":\"ping\",\"id\":\"é\"}".getBytes(StandardCharsets.UTF_8);
        int inside = new String(json, StandardCharsets.ISO_8859_1).indexOf('Ã') + 1;

        // when
        peer.frame(false, TEXT, Arrays.copyOfRange(json, 0, inside));
        peer.frame(true, CONTINUATION, Arrays.copyOfRange(json, inside, json.length));

        // then
        assertThat(peer.readOne()).isEqualTo("{\"op\":\"pong\",\"id\":\"é\"}");
    }

    @Test
    void closesOnTextThatIsNotUtf8() {
        peer.frame(true, TEXT, new byte[] {'{', (byte) 0xc3, '}'});
        closedWith(4100);
    }

    @Test
    void closesOnTextWhoseFragmentsAreNotUtf8Together() {
        peer.frame(false, TEXT, new byte[] {'{', (byte) 0xc3});
        peer.frame(true, CONTINUATION, new byte[] {'}'});
        closedWith(4100);
    }

    @Test
    void closesOnABinaryFrame() {
        peer.frame(true, BINARY, new byte[] {1});
        closedWith(4100);
    }

    @Test
    void closesOnAFrameThatIsTooLarge() {
        peer.frame(true, TEXT, new byte[ShardUnderTest.MAX_FRAME + 1]);
        closedWith(1009);
    }

    @Test
    void closesOnFragmentsThatAreTooLargeTogether() {
        byte[] half = new byte[ShardUnderTest.MAX_FRAME / 2 + 1];
        Arrays.fill(half, (byte) ' ');
        peer.frame(false, TEXT, half);
        peer.frame(false, CONTINUATION, half);
        closedWith(1009);
    }

    @Test
    void closesOnAContinuationOfNothing() {
        peer.frame(true, CONTINUATION, new byte[] {1});
        closedWith(4100);
    }

    @Test
    void closesOnTextInTheMiddleOfAMessage() {
        peer.frame(false, TEXT, new byte[] {'{'});
        peer.frame(true, TEXT, new byte[] {'}'});
        closedWith(4100);
    }

    @Test
    void staysOpenOnTextThatIsNotJson() {
        // when
        peer.text("hello");

        // then
        assertThat(peer.readOne()).contains("\"op\":\"error\"").contains("bad_request");
        peer.text("{\"op\":\"ping\"}");
        assertThat(peer.readOne()).contains("pong");
    }

    @Test
    void answersAClosingPeerAndCloses() {
        // when
        peer.frame(true, CLOSE, new byte[] {0x03, (byte) 0xe8});

        // then
        peer.read();
        assertThat(peer.closeCode).isEqualTo(1000);
        assertThat(peer.isOpen()).isFalse();
    }

    @Test
    void waitsForThePeersAnswerToAClose() {
        // given: what the peer was still sending must not make the close a reset
        peer.frame(true, BINARY, new byte[] {1});
        peer.read();
        assertThat(peer.isOpen()).isTrue();

        // when
        peer.text("{\"op\":\"ping\"}");
        peer.frame(true, PING, new byte[] {1});
        peer.frame(false, TEXT, new byte[] {'{'});
        peer.frame(true, CLOSE, new byte[] {0x10, 0x04});

        // then: nothing follows our close frame
        assertThat(peer.read()).isEmpty();
        assertThat(peer.pongs).isEmpty();
        assertThat(peer.isOpen()).isFalse();
    }

    @Test
    void closesForAFaultOfTlsWithoutAWord() {
        // when
        peer.channel.pipeline().fireExceptionCaught(new DecoderException(new SSLException("for a test")));
        shard.runLoop();

        // then
        peer.read();
        assertThat(peer.closeCode).isZero();
        assertThat(peer.isOpen()).isFalse();
    }

    @Test
    void takesAPongAsASignOfLife() {
        // when: longer than two heartbeats, a pong in each
        for (int i = 0; i < 6; i++) {
            shard.pass(ShardUnderTest.HEARTBEAT_MS);
            peer.frame(true, PONG, new byte[0]);
        }

        // then
        peer.read();
        assertThat(peer.closeCode).isZero();
        assertThat(peer.isOpen()).isTrue();
        assertThat(peer.pings).isBetween(5, 7);
    }

    private void closedWith(int code) {
        peer.read();
        assertThat(peer.closeCode).isEqualTo(code);
        assertThat(peer.closeReason).isNotEmpty();
        assertThat(shard.metrics.subscriptions.sum()).isZero();
        // A peer that does not answer is cut off.
        shard.pass(Sweep.CLOSE_MS + Sweep.TICK_MS);
        assertThat(peer.isOpen()).isFalse();
    }
}

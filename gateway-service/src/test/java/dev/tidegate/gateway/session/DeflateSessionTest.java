package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A WebSocket that has agreed on permessage-deflate, beside one that has not. */
class DeflateSessionTest {
    private static final int TEXT = 1;
    private static final int CONTINUATION = 0;
    private static final int PING = 9;
    private static final int RSV1 = 0x40;
    private static final int RSV2 = 0x20;

    private static final String LONG = "\"" + "tide ".repeat(100) + "\"";

    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        peer = deflating();
        assertThat(peer.readOne()).contains("\"op\":\"connected\"");
    }

    private ShardUnderTest.Peer deflating(Handshake.Subscribe... subscribes) {
        return shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.WEBSOCKET_DEFLATE, List.of(subscribes));
    }

    private static Handshake.Subscribe to(String channel) {
        return new Handshake.Subscribe(new ChannelName(channel), null, -1);
    }

    @AfterEach
    void nothingIsLeft() {
        peer.channel.disconnect0();
        shard.runLoop();
        peer.channel.dropInbound();
        assertThat(shard.metrics.faults.sum()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
        assertThat(shard.allocator.metric().usedHeapMemory()).isZero();
    }

    // ---- what the server sends

    @Test
    void getsALongEventCompressedAndAShortOneAsItIs() throws InterruptedException {
        // given
        peer.text("{\"op\":\"subscribe\",\"channel\":\"a\"}");
        peer.readOne();

        // when
        shard.publish("a", LONG);
        String large = peer.readOne();
        int deflatedAfterLarge = peer.deflated;
        shard.publish("a", "1");
        String small = peer.readOne();

        // then
        assertThat(large).contains("\"data\":" + LONG);
        assertThat(deflatedAfterLarge).isEqualTo(1);
        assertThat(small).contains("\"data\":1").contains("\"prev\":0");
        assertThat(peer.deflated).isEqualTo(1);
        assertThat(shard.metrics.deflatedFrom.sum()).isEqualTo(large.length());
        assertThat(shard.metrics.deflatedTo.sum()).isBetween(1L, large.length() / 3L);
    }

    @Test
    void othersOfTheChannelGetTheSameEventsPlain() throws InterruptedException {
        // given
        ShardUnderTest.Peer plain = shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.WEBSOCKET, List.of(to("a")));
        ShardUnderTest.Peer second = deflating(to("a"), to("b"));
        plain.read();
        second.read();

        // when
        shard.publish("a", LONG);

        // then
        String event = plain.readOne();
        assertThat(event).contains(LONG);
        assertThat(second.readOne()).isEqualTo(event);
        assertThat(plain.deflated).isZero();
        assertThat(second.deflated).isEqualTo(1);
    }

    @Test
    void nothingIsCompressedOnceNobodyAsksForIt() throws InterruptedException {
        // given: one of two leaves, then the other
        ShardUnderTest.Peer plain = shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.WEBSOCKET, List.of(to("a")));
        ShardUnderTest.Peer second = deflating(to("a"));
        peer.text("{\"op\":\"subscribe\",\"channel\":\"a\"}");
        shard.publish("a", LONG);
        long ofOne = shard.metrics.deflatedFrom.sum();
        assertThat(ofOne).isBetween((long) LONG.length(), 2L * LONG.length() - 1); // once, for two

        // when
        second.channel.disconnect0();
        shard.runLoop();
        shard.publish("a", LONG);
        long withOneLeft = shard.metrics.deflatedFrom.sum();
        peer.text("{\"op\":\"unsubscribe\",\"channel\":\"a\"}");
        shard.publish("a", LONG);

        // then
        assertThat(withOneLeft).isGreaterThan(ofOne);
        assertThat(shard.metrics.deflatedFrom.sum()).isEqualTo(withOneLeft);
        assertThat(plain.read()).filteredOn(t -> t.contains(LONG)).hasSize(3);
    }

    @Test
    void aNewTopicKnowsWhoTakesCompressedFrames() throws InterruptedException {
        // given
        peer.text("{\"op\":\"subscribe\",\"channel\":\"a\"}");

        // when
        shard.recreateTopic("epoch001");
        shard.publish("a", LONG);

        // then
        assertThat(peer.read()).last().asString().contains("epoch001").contains(LONG);
        assertThat(peer.deflated).isEqualTo(1);
    }

    // ---- what the client sends

    @Test
    void takesCompressedAndPlainMessagesInTurn() {
        for (int i = 0; i < 3; i++) {
            peer.frame(true, RSV1 | TEXT, Deflated.of(bytes("{\"op\":\"ping\",\"id\":" + i + "}")));
            assertThat(peer.readOne()).isEqualTo("{\"op\":\"pong\",\"id\":" + i + "}");
            peer.text("{\"op\":\"ping\",\"id\":\"p\"}");
            assertThat(peer.readOne()).isEqualTo("{\"op\":\"pong\",\"id\":\"p\"}");
        }
    }

    @Test
    void joinsFragmentsBeforeItDecompresses() {
        // given: the bit stands on the first fragment only, a ping may come between, a fragment may be empty
        byte[] message = Deflated.of(bytes("{\"op\":\"ping\",\"id\":\"ü\"}"));

        // when
        peer.frame(false, RSV1 | TEXT, Arrays.copyOfRange(message, 0, 3));
        peer.frame(true, PING, new byte[] {1});
        peer.frame(false, CONTINUATION, new byte[0]);
        for (int i = 3; i < message.length - 1; i++) {
            peer.frame(false, CONTINUATION, new byte[] {message[i]});
        }
        peer.frame(true, CONTINUATION, new byte[] {message[message.length - 1]});
        peer.frame(false, TEXT, bytes("{\"op\":"));
        peer.frame(true, CONTINUATION, bytes("\"ping\"}"));

        // then
        assertThat(peer.read()).containsExactly("{\"op\":\"pong\",\"id\":\"ü\"}", "{\"op\":\"pong\"}");
        assertThat(peer.pongs).hasSize(1);
    }

    @Test
    void closesOnABomb() {
        peer.frame(true, RSV1 | TEXT, Deflated.of(new byte[100_000]));
        closedWith(1009);
    }

    @Test
    void closesOnABombInFragments() {
        byte[] bomb = Deflated.of(new byte[100_000]);
        peer.frame(false, RSV1 | TEXT, Arrays.copyOf(bomb, 10));
        peer.frame(true, CONTINUATION, Arrays.copyOfRange(bomb, 10, bomb.length));
        closedWith(1009);
    }

    @Test
    void closesOnAMessageThatIsNotCompressedAsItSays() {
        peer.frame(true, RSV1 | TEXT, new byte[] {7, 7, 7});
        closedWith(4100);
    }

    @Test
    void closesOnTextThatIsNotUtf8OnceDecompressed() {
        peer.frame(true, RSV1 | TEXT, Deflated.of(new byte[] {'{', (byte) 0xc3, '}'}));
        closedWith(4100);
    }

    @Test
    void closesOnAnotherReservedBit() {
        peer.frame(true, RSV2 | TEXT, bytes("{}"));
        closedWith(4100);
    }

    @Test
    void closesOnACompressedControlFrame() {
        peer.frame(true, RSV1 | PING, new byte[0]);
        closedWith(4100);
    }

    @Test
    void closesOnTheBitOnALaterFragment() {
        peer.frame(false, RSV1 | TEXT, new byte[] {1});
        peer.frame(true, RSV1 | CONTINUATION, new byte[] {1});
        closedWith(4100);
    }

    @Test
    void aClientThatDidNotAgreeMayNotCompress() {
        ShardUnderTest.Peer plain = shard.connect();
        plain.frame(true, RSV1 | TEXT, Deflated.of(bytes("{\"op\":\"ping\"}")));
        plain.read();
        assertThat(plain.closeCode).isEqualTo(4100);
        plain.channel.disconnect0();
    }

    private void closedWith(int code) {
        peer.read();
        assertThat(peer.closeCode).isEqualTo(code);
        assertThat(peer.closeReason).isNotEmpty();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}

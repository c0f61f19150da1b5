package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Subscribing from a durable cursor: looked up first, held meanwhile, then the ordinary path. */
class DurableResumeTest {
    private static final Identity ANN = new Identity("ann", Long.MAX_VALUE, null, null);
    private static final String SUBSCRIBE = "{\"op\":\"subscribe\",\"id\":1,\"channel\":\"c\",\"durable\":\"phone\"}";

    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        for (int i = 0; i < 10; i++) {
            shard.publish("c", "1");
        }
        peer = shard.connect(ANN, Handshake.WireFormat.WEBSOCKET, List.of());
        peer.read();
    }

    private void answer(DurableStore.Found found) {
        shard.cursors.foundAnswers.getLast().accept(found);
        shard.runLoop();
    }

    private static DurableStore.Found at(String cursor) {
        return new DurableStore.Found.At(Cursor.parse(cursor));
    }

    private void replay(int request, String upTo, int... offsets) {
        var listener = shard.replayAnswers.get(request);
        long prev = -1;
        for (int o : offsets) {
            listener.event(new Cursor("epoch000", 0, o), prev, event(o, prev));
            prev = o;
        }
        listener.end(new Replay.End(0, Cursor.parse(upTo), true, null, Replay.Tier.MEMORY, null, null));
        shard.runLoop();
    }

    private static byte[] event(long offset, long prev) {
        return ("{\"op\":\"event\",\"channel\":\"c\",\"cursor\":\"epoch000.0." + offset + "\",\"prev\":" + prev
                        + ",\"id\":\"i" + offset + "\",\"time\":1,\"replay\":true,\"data\":1}")
                .getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void itGoesOnFromWhereItWasAcknowledged() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        assertThat(shard.cursors.lookUps).containsExactly(new CursorKey("ann", "phone", new ChannelName("c")));
        shard.publish("c", "10");
        assertThat(peer.read()).isEmpty();
        assertThat(shard.replays).isEmpty();

        // when
        answer(at("epoch000.0.7"));
        assertThat(shard.replays.getFirst().after()).isEqualTo(Cursor.parse("epoch000.0.7"));
        replay(0, "epoch000.0.9", 8, 9);

        // then
        List<String> frames = peer.read();
        assertThat(frames).hasSize(5);
        assertThat(frames.get(0))
                .isEqualTo("{\"op\":\"subscribed\",\"id\":1,\"channel\":\"c\",\"cursor\":\"epoch000.0.9\","
                        + "\"recovery\":\"complete\",\"replayed\":2}");
        assertThat(frames.get(1)).isEqualTo("{\"op\":\"position\",\"channels\":{\"c\":\"epoch000.0.7\"}}");
        assertThat(frames.get(2)).contains("epoch000.0.8");
        assertThat(frames.get(3)).contains("epoch000.0.9");
        assertThat(frames.get(4)).contains("epoch000.0.10").doesNotContain("replay");
        shard.publish("c", "11");
        assertThat(peer.readOne()).contains("epoch000.0.11");
    }

    @Test
    void neverAcknowledgedMeansFromTheSubscribeOn() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        shard.publish("c", "10");

        // when
        answer(new DurableStore.Found.Never());

        // then
        List<String> frames = peer.read();
        assertThat(frames).hasSize(2);
        assertThat(frames.get(0))
                .isEqualTo("{\"op\":\"subscribed\",\"id\":1,\"channel\":\"c\",\"cursor\":\"epoch000.0.9\","
                        + "\"recovery\":\"none\"}");
        assertThat(frames.get(1)).contains("epoch000.0.10");
        assertThat(shard.replays).isEmpty();
    }

    @Test
    void neverAcknowledgedWithLastMeansTheNewest() {
        // given
        peer.text(SUBSCRIBE.replace("}", ",\"last\":2}"));

        // when
        answer(new DurableStore.Found.Never());

        // then
        assertThat(shard.replays.getFirst().last()).isEqualTo(2);
        replay(0, "epoch000.0.9", 8, 9);
        assertThat(peer.read()).hasSize(3).first().asString().contains("\"replayed\":2");
    }

    @Test
    void anAcknowledgedCursorCountsMoreThanLastAndAfterCountsMoreThanBoth() {
        peer.text(SUBSCRIBE.replace("}", ",\"last\":2}"));
        answer(at("epoch000.0.3"));
        assertThat(shard.replays.getFirst().after()).isEqualTo(Cursor.parse("epoch000.0.3"));
        peer.text(SUBSCRIBE.replace("\"c\"", "\"d\"").replace("}", ",\"after\":\"epoch000.0.4\"}"));
        assertThat(shard.cursors.lookUps).hasSize(1);
        assertThat(shard.replays.getLast().after()).isEqualTo(Cursor.parse("epoch000.0.4"));
    }

    @Test
    void whileTheStoreIsAwayItIsPendingAndHeld() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        answer(new DurableStore.Found.Failed(ErrorCode.UNAVAILABLE, "away"));
        assertThat(peer.readOne()).contains("\"recovery\":\"pending\"").contains("\"id\":1");
        shard.publish("c", "10");
        assertThat(peer.read()).isEmpty();

        // when: it is asked again, and again
        shard.pass(1_000);
        assertThat(shard.cursors.lookUps).hasSize(2);
        answer(new DurableStore.Found.Failed(ErrorCode.UNAVAILABLE, "away"));
        shard.pass(1_000);
        answer(at("epoch000.0.8"));
        replay(0, "epoch000.0.9", 9);

        // then
        List<String> frames = peer.read();
        assertThat(frames.get(0)).isEqualTo("{\"op\":\"position\",\"channels\":{\"c\":\"epoch000.0.8\"}}");
        assertThat(frames.get(1)).contains("epoch000.0.9");
        assertThat(frames.get(2)).contains("epoch000.0.10");
        assertThat(frames).hasSize(3);
    }

    @Test
    void pendingAndThenNeverAcknowledgedTellsWhereItBegins() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        shard.pass(1_250); // no answer at all
        peer.text("{\"op\":\"ping\"}");
        shard.pass(1_250);
        assertThat(peer.read()).anyMatch(f -> f.contains("\"recovery\":\"pending\""));
        shard.publish("c", "10");

        // when
        answer(new DurableStore.Found.Never());

        // then
        List<String> frames = peer.read();
        assertThat(frames.getFirst()).isEqualTo("{\"op\":\"position\",\"channels\":{\"c\":\"epoch000.0.9\"}}");
        assertThat(frames.get(1)).contains("epoch000.0.10");
        assertThat(frames).hasSize(2);
    }

    @Test
    void aStoreThatThereIsNotIsAnError() {
        // given
        peer.text(SUBSCRIBE);

        // when
        answer(new DurableStore.Found.Failed(ErrorCode.BAD_REQUEST, "durable: no cursors are kept here"));

        // then
        assertThat(peer.readOne()).contains("\"id\":1").contains("bad_request").contains("no cursors are kept");
        assertThat(shard.metrics.subscriptions.sum()).isZero();
    }

    @Test
    void aCursorOfAnotherTopicIsAGap() {
        // given
        peer.text(SUBSCRIBE);

        // when
        answer(at("epoch999.0.500"));
        var listener = shard.replayAnswers.getFirst();
        Gap gap = new Gap(Cursor.parse("epoch999.0.500"), Cursor.parse("epoch000.0.-1"), Gap.Reason.EPOCH);
        listener.gap(gap);
        replay(0, "epoch000.0.9", 9);

        // then
        assertThat(peer.read())
                .satisfiesExactly(
                        f -> assertThat(f).contains("\"recovery\":\"gap\""),
                        f -> assertThat(f).contains("position").contains("epoch999.0.500"),
                        f -> assertThat(f).contains("\"op\":\"gap\"").contains("epoch999.0.500"),
                        f -> assertThat(f).contains("epoch000.0.9"));
    }

    @Test
    void whoLeavesWhileItIsLookedUpIsNotFound() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        peer.text("{\"op\":\"unsubscribe\",\"channel\":\"c\"}");
        peer.text("{\"op\":\"subscribe\",\"id\":2,\"channel\":\"c\"}");
        assertThat(peer.read()).hasSize(2);

        // when
        answer(at("epoch000.0.3"));

        // then
        assertThat(shard.replays).isEmpty();
        shard.publish("c", "10");
        assertThat(peer.readOne()).contains("epoch000.0.10");
        peer.text(SUBSCRIBE.replace("\"c\"", "\"d\""));
        peer.channel.disconnect0();
        answer(at("epoch000.0.3"));
        assertThat(shard.metrics.subscriptions.sum()).isZero();
        assertThat(shard.metrics.faults.sum()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
    }

    @Test
    void aTopicRecreatedMeanwhileIsResumedInto() throws InterruptedException {
        // given
        peer.text(SUBSCRIBE);
        shard.recreateTopic("epoch001");
        shard.publish("c", "0");
        assertThat(peer.read()).isEmpty();

        // when
        answer(new DurableStore.Found.Never());

        // then
        List<String> frames = peer.read();
        assertThat(frames.getFirst()).contains("\"recovery\":\"none\"").contains("epoch001.0.-1");
        assertThat(frames.getLast()).contains("\"op\":\"event\"").contains("epoch001.0.0");
    }

    @Test
    void anonymousClientsHaveNone() {
        // given
        ShardUnderTest.Peer nobody = shard.connect();
        nobody.read();

        // when
        nobody.text(SUBSCRIBE);

        // then
        assertThat(nobody.readOne()).contains("unauthenticated").contains("durable: a token is needed");
        assertThat(shard.metrics.subscriptions.sum()).isZero();
        assertThat(shard.cursors.lookUps).isEmpty();
    }

    @Test
    void anEventStreamIsToldWhereItBegins() {
        // given
        var subscribe = new Handshake.Subscribe(new ChannelName("c"), null, -1, "phone");
        ShardUnderTest.Peer stream = shard.connect(ANN, Handshake.WireFormat.SSE, List.of(subscribe));
        assertThat(stream.readBytes()).doesNotContain("id:");

        // when
        answer(at("epoch000.0.8"));
        replay(0, "epoch000.0.9", 9);

        // then
        assertThat(stream.readBytes()).contains("""
                        event: position
                        data: {"op":"position","channels":{"c":"epoch000.0.8"}}
                        id: epoch000.0.8
                        """).contains("id: epoch000.0.9\n");
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.ErrorCode;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Acknowledgements: coalesced, batched, judged, and told when they fail. */
class AcksTest {
    private static final Identity ANN = new Identity("ann", Long.MAX_VALUE, null, null);

    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        for (int i = 0; i < 10; i++) {
            shard.publish("c", "1");
        }
        peer = connect(ANN);
    }

    private ShardUnderTest.Peer connect(Identity who) {
        ShardUnderTest.Peer p = shard.connect(who, Handshake.WireFormat.WEBSOCKET, List.of());
        p.read();
        return p;
    }

    private static String ack(String id, String channel, String cursor) {
        return "{\"op\":\"ack\"," + (id.isEmpty() ? "" : "\"id\":" + id + ",") + "\"channel\":\"" + channel
                + "\",\"durable\":\"phone\",\"cursor\":\"" + cursor + "\"}";
    }

    private void windowPasses() {
        shard.pass(Sweep.TICK_MS);
    }

    private List<String> batch(int number) {
        return shard.cursors.batches.get(number).stream().map(AcksTest::shown).toList();
    }

    private static String shown(Ack a) {
        return a.key().subject() + " " + a.key().durable() + " " + a.key().channel() + " " + a.cursor();
    }

    @Test
    void theNewestOfEachCursorTravelsInABatch() {
        // when
        peer.text(ack("", "c", "epoch000.0.3"));
        peer.text(ack("", "d", "epoch000.0.1"));
        peer.text(ack("", "c", "epoch000.0.7"));
        peer.text(ack("", "c", "epoch000.0.5"));
        assertThat(shard.cursors.batches).isEmpty();
        windowPasses();

        // then
        assertThat(shard.cursors.batches).hasSize(1);
        assertThat(batch(0)).containsExactly("ann phone c epoch000.0.7", "ann phone d epoch000.0.1");
        assertThat(peer.read()).isEmpty();
        assertThat(shard.metrics.acks.sum()).isEqualTo(4);
    }

    @Test
    void whileABatchIsOnItsWayTheNextOneGrows() {
        // given
        peer.text(ack("", "c", "epoch000.0.1"));
        windowPasses();
        for (int i = 2; i < 10; i++) {
            peer.text(ack("", "c", "epoch000.0." + i));
        }
        windowPasses();
        assertThat(shard.cursors.batches).hasSize(1);

        // when
        shard.cursors.storeAnswers.getFirst().accept(new DurableStore.Stored.Done(List.of()));
        shard.runLoop();

        // then
        assertThat(batch(1)).containsExactly("ann phone c epoch000.0.9");
        shard.cursors.storeAnswers.get(1).accept(new DurableStore.Stored.Done(List.of()));
        shard.runLoop();
        peer.text(ack("", "c", "epoch000.0.9"));
        windowPasses();
        assertThat(shard.cursors.batches).hasSize(3);
    }

    @Test
    void severalTabsOfASubscriberShareACursorAndAreAllToldWhenItFails() {
        // given
        ShardUnderTest.Peer tab = connect(ANN);
        ShardUnderTest.Peer gone = connect(ANN);
        peer.text(ack("1", "c", "epoch000.0.3"));
        peer.text(ack("2", "c", "epoch000.0.4"));
        tab.text(ack("", "c", "epoch000.0.2"));
        gone.text(ack("9", "c", "epoch000.0.9"));
        gone.channel.disconnect0();
        windowPasses();
        assertThat(batch(0)).containsExactly("ann phone c epoch000.0.9");

        // when
        shard.cursors.storeAnswers.getFirst().accept(new DurableStore.Stored.Failed(ErrorCode.UNAVAILABLE, "away"));

        // then
        assertThat(peer.readOne())
                .isEqualTo(
                        "{\"op\":\"error\",\"id\":2,\"code\":\"unavailable\",\"message\":\"away\",\"channel\":\"c\"}");
        assertThat(tab.readOne())
                .isEqualTo("{\"op\":\"error\",\"code\":\"unavailable\",\"message\":\"away\",\"channel\":\"c\"}");
        assertThat(shard.metrics.acksFailed.sum()).isEqualTo(1);
        assertThat(shard.metrics.faults.sum()).isZero();
    }

    @Test
    void onlyThoseBeyondTheLimitAreTold() {
        // given
        peer.text(ack("1", "c", "epoch000.0.3"));
        peer.text(ack("2", "d", "epoch000.0.3"));
        windowPasses();

        // when
        shard.cursors.storeAnswers.getFirst().accept(new DurableStore.Stored.Done(List.of(1)));

        // then
        assertThat(peer.readOne())
                .contains("\"id\":2")
                .contains("limit_exceeded")
                .contains("\"channel\":\"d\"");
    }

    @Test
    void whatCannotBeStoredIsRefusedAtOnce() {
        peer.text(ack("1", "c", "epoch000.0.10"));
        assertThat(peer.readOne())
                .contains("\"id\":1")
                .contains("cursor_invalid")
                .contains("beyond the end");
        peer.text(ack("2", "c", "epoch000.1.1"));
        assertThat(peer.readOne())
                .contains("\"id\":2")
                .contains("cursor_invalid")
                .contains("partition 0");
        peer.text(ack("3", "nowhere:c", "epoch000.0.1"));
        assertThat(peer.readOne()).contains("\"id\":3").contains("unknown_namespace");
        ShardUnderTest.Peer nobody = connect(Identity.ANONYMOUS);
        nobody.text(ack("4", "c", "epoch000.0.1"));
        assertThat(nobody.readOne())
                .contains("\"id\":4")
                .contains("unauthenticated")
                .contains("durable: a token is needed");
        ShardUnderTest.Peer endless = connect(new Identity("x".repeat(256), Long.MAX_VALUE, null, null));
        endless.text(ack("5", "c", "epoch000.0.1"));
        assertThat(endless.readOne())
                .contains("\"id\":5")
                .contains("bad_request")
                .contains("subject: 256 bytes");
        peer.text(ack("6", "c", "epoch999.5.12345")); // of another incarnation of the topic: not ours to judge
        windowPasses();
        assertThat(batch(0)).containsExactly("ann phone c epoch999.5.12345");
    }

    @Test
    void whatWaitsIsBounded() {
        // given: a store that does not answer
        peer.text(ack("", "c", "epoch000.0.1"));
        windowPasses();
        for (int i = 0; i < Acks.MAX_WAITING; i++) {
            peer.text(ack("", "c" + i, "epoch000.0.1"));
        }
        assertThat(peer.read()).isEmpty();

        // when
        peer.text(ack("1", "more", "epoch000.0.1"));

        // then
        assertThat(peer.readOne()).contains("\"id\":1").contains("unavailable");
        peer.text(ack("2", "c0", "epoch000.0.2"));
        assertThat(peer.read()).isEmpty();
        shard.cursors.storeAnswers.getFirst().accept(new DurableStore.Stored.Done(List.of()));
        shard.runLoop();
        assertThat(batch(1)).hasSize(1024).contains("ann phone c0 epoch000.0.2");
    }
}

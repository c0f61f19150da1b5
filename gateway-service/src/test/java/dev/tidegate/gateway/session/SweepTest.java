package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What happens by the clock. */
class SweepTest {
    private static final SessionLimits LIMITS =
            new SessionLimits(5_000, 1000, 3, 2, 2, 3_000, false, ShardUnderTest.LIMITS.replay());

    @Test
    void everySessionHearsOfTheGatewayOnceAnIntervalWhateverComesAndGoes() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(LIMITS);
        Random random = new Random(5);
        List<ShardUnderTest.Peer> staying = new ArrayList<>();
        List<ShardUnderTest.Peer> others = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            staying.add(shard.connect());
        }

        for (int round = 0; round < 5; round++) {
            // when: an interval, in which other connections come and go
            staying.forEach(p -> p.pings = 0);
            for (int t = 0; t < 5_000; t += Sweep.TICK_MS) {
                others.add(shard.connect());
                others.add(shard.connect());
                others.remove(random.nextInt(others.size())).channel.disconnect0();
                shard.pass(Sweep.TICK_MS);
            }

            // then
            for (ShardUnderTest.Peer p : staying) {
                p.read();
                assertThat(p.pings).isEqualTo(1);
                p.frame(true, 10, new byte[0]);
            }
        }
    }

    @Test
    void spreadsTheHeartbeatsOfACrowdOverTheInterval() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(LIMITS);
        List<ShardUnderTest.Peer> peers = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            peers.add(shard.connect());
        }

        // when
        int most = 0;
        int all = 0;
        for (int t = 0; t < 5_000; t += Sweep.TICK_MS) {
            shard.pass(Sweep.TICK_MS);
            int beats = 0;
            for (ShardUnderTest.Peer p : peers) {
                p.pings = 0;
                p.read();
                beats += p.pings;
            }
            most = Math.max(most, beats);
            all += beats;
        }

        // then: twenty to a tick if spread evenly
        assertThat(all).isEqualTo(400);
        assertThat(most).isLessThan(60);
    }

    @Test
    void closesAConnectionThatIsSilentForTwoHeartbeats() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        ShardUnderTest.Peer peer = shard.connect();

        // when / then
        shard.pass(2L * ShardUnderTest.HEARTBEAT_MS);
        peer.read();
        assertThat(peer.closeCode).isZero();
        shard.pass(ShardUnderTest.HEARTBEAT_MS);
        peer.read();
        assertThat(peer.closeCode).isEqualTo(4002);
    }

    @Test
    void cutsAConnectionThatDoesNotEvenTakeItsCloseFrame() throws InterruptedException {
        // given: a peer that reads nothing, with more written than its socket takes
        ShardUnderTest shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        ShardUnderTest.Peer peer = shard.connect();
        peer.channel.setReading(false);

        // when
        shard.pass(3L * ShardUnderTest.HEARTBEAT_MS + Sweep.CLOSE_MS + 2 * Sweep.TICK_MS);

        // then
        assertThat(peer.isOpen()).isFalse();
        assertThat(shard.metrics.connections.sum()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
    }

    @Test
    void cutsAnEventStreamThatIsNotRead() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        ShardUnderTest.Peer peer = shard.connect(
                Identity.ANONYMOUS,
                Handshake.WireFormat.SSE,
                List.of(new Handshake.Subscribe(new ChannelName("c"), null, -1)));
        peer.channel.setReading(false);
        for (int i = 0; i < 20; i++) {
            shard.publish("c", "\"" + "x".repeat(1000) + "\"");
        }

        // when
        shard.pass(4L * ShardUnderTest.HEARTBEAT_MS + Sweep.CLOSE_MS);

        // then
        assertThat(peer.isOpen()).isFalse();
    }

    @Test
    void closesWhenTheTokenEndsAndNotBefore() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        Identity ended = new Identity("u", System.currentTimeMillis() - 1, null, null);
        Identity good = new Identity("u", System.currentTimeMillis() + 3_600_000, null, null);
        ShardUnderTest.Peer late = shard.connect(ended, Handshake.WireFormat.WEBSOCKET, List.of());
        ShardUnderTest.Peer inTime = shard.connect(good, Handshake.WireFormat.WEBSOCKET, List.of());

        // when
        shard.pass(1_000);

        // then
        late.read();
        inTime.read();
        assertThat(late.closeCode).isEqualTo(4102);
        assertThat(inTime.closeCode).isZero();
    }

    @Test
    void closesWhoDoesNotIdentifyItselfInTime() throws InterruptedException {
        // given
        SessionLimits strict = new SessionLimits(60_000, 1000, 3, 2, 2, 3_000, true, ShardUnderTest.LIMITS.replay());
        ShardUnderTest shard = new ShardUnderTest(strict);
        ShardUnderTest.Peer peer = shard.connect();

        // when / then
        shard.pass(2_750);
        peer.read();
        assertThat(peer.closeCode).isZero();
        shard.pass(1_500);
        peer.read();
        assertThat(peer.closeCode).isEqualTo(4101);
    }

    @Test
    void tellsThePositionOfAQuietChannelAndOfNoOther() throws InterruptedException {
        // given
        ShardUnderTest shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        ShardUnderTest.Peer peer = shard.connect();
        peer.text("{\"op\":\"subscribe\",\"channel\":\"quiet\"}");
        peer.text("{\"op\":\"subscribe\",\"channel\":\"busy\"}");
        peer.read();

        // when
        shard.publish("busy", "1");
        shard.publish("other", "2");
        shard.publish("busy", "3");
        assertThat(peer.read()).hasSize(2).allMatch(f -> f.contains("\"op\":\"event\""));
        shard.pass(ShardUnderTest.HEARTBEAT_MS);

        // then
        assertThat(peer.readOne()).isEqualTo("{\"op\":\"position\",\"channels\":{\"quiet\":\"epoch000.0.2\"}}");
    }
}

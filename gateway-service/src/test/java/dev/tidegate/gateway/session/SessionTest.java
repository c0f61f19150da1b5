package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests and their answers. */
class SessionTest {
    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        peer = shard.connect();
        peer.read();
    }

    @Test
    void limitsTheSubscriptionsOfAConnection() {
        // given
        for (int i = 0; i < 3; i++) {
            peer.text("{\"op\":\"subscribe\",\"channel\":\"c" + i + "\"}");
            assertThat(peer.readOne()).contains("subscribed");
        }

        // when / then
        peer.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"c3\"}");
        assertThat(peer.readOne()).contains("\"id\":1").contains("limit_exceeded");
        peer.text("{\"op\":\"subscribe\",\"id\":2,\"channel\":\"c2\"}");
        assertThat(peer.readOne()).contains("\"id\":2").contains("already_subscribed");
        peer.text("{\"op\":\"unsubscribe\",\"channel\":\"c2\"}");
        assertThat(peer.readOne()).contains("unsubscribed");
        peer.text("{\"op\":\"subscribe\",\"id\":3,\"channel\":\"c0\"}");
        assertThat(peer.readOne()).contains("\"id\":3").contains("already_subscribed");
        peer.text("{\"op\":\"subscribe\",\"id\":4,\"channel\":\"c3\"}");
        assertThat(peer.readOne()).contains("\"id\":4").contains("\"recovery\":\"none\"");
        assertThat(shard.metrics.subscriptions.sum()).isEqualTo(3);
    }

    @Test
    void refusesWhatCannotBeSubscribed() {
        peer.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"nowhere:c\"}");
        assertThat(peer.readOne()).contains("unknown_namespace");
        peer.text("{\"op\":\"subscribe\",\"id\":2,\"channel\":\"c\",\"last\":101}");
        assertThat(peer.readOne()).contains("limit_exceeded");
        peer.text("{\"op\":\"subscribe\",\"id\":3,\"channel\":\"c\",\"after\":\"epoch000.1.5\"}");
        assertThat(peer.readOne()).contains("cursor_invalid").contains("partition 0");
        peer.text("{\"op\":\"unsubscribe\",\"id\":4,\"channel\":\"c\"}");
        assertThat(peer.readOne()).contains("not_subscribed");
        assertThat(shard.metrics.subscriptions.sum()).isZero();
    }

    @Test
    void answersPublishesAsTheyComeBackAndLimitsTheUnanswered() {
        // given
        for (int i = 0; i < 3; i++) {
            peer.text("{\"op\":\"publish\",\"id\":" + i + ",\"channel\":\"c\",\"data\":{}}");
        }
        assertThat(peer.readOne()).contains("\"id\":2").contains("rate_limited");
        assertThat(shard.publishes).hasSize(2);

        // when
        shard.publishAnswers.get(1).accept(new EventPublisher.Outcome.Accepted("e1", "epoch000.0.9"));
        shard.publishAnswers.get(0).accept(new EventPublisher.Outcome.Failed(ErrorCode.UNAVAILABLE, "away"));

        // then
        assertThat(peer.read())
                .containsExactly(
                        "{\"op\":\"published\",\"id\":1,\"event\":\"e1\",\"status\":\"stored\",\"cursor\":\"epoch000.0.9\"}",
                        "{\"op\":\"error\",\"id\":0,\"code\":\"unavailable\",\"message\":\"away\",\"channel\":\"c\"}");
        peer.text("{\"op\":\"publish\",\"id\":3,\"channel\":\"c\",\"data\":1}");
        assertThat(peer.read()).isEmpty();
        shard.publishAnswers.get(2).accept(new EventPublisher.Outcome.Accepted("e3", null));
        assertThat(peer.readOne()).contains("\"status\":\"spooled\"").doesNotContain("cursor");
    }

    @Test
    void dropsAnAnswerWhoseConnectionIsGone() {
        // given
        peer.text("{\"op\":\"publish\",\"id\":0,\"channel\":\"c\",\"data\":{}}");
        peer.channel.disconnect0();
        shard.runLoop();

        // when
        shard.publishAnswers.getFirst().accept(new EventPublisher.Outcome.Accepted("e1", "epoch000.0.9"));
        shard.runLoop();

        // then
        assertThat(shard.metrics.faults.sum()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
    }

    @Test
    void identifiesByATokenAndRefusesAnother() {
        // given
        shard.tokens.put("good", new TokenVerifier.Verdict.Accepted(new Identity("ann", Long.MAX_VALUE, null, null)));
        shard.tokens.put("other", new TokenVerifier.Verdict.Accepted(new Identity("bob", Long.MAX_VALUE, null, null)));

        // when / then
        peer.text("{\"op\":\"connect\",\"id\":1,\"token\":\"good\"}");
        assertThat(peer.readOne()).contains("\"id\":1").contains("\"subject\":\"ann\"");
        peer.text("{\"op\":\"connect\",\"id\":2,\"token\":\"other\"}");
        assertThat(peer.readOne()).contains("\"id\":2").contains("forbidden");
        peer.text("{\"op\":\"connect\",\"id\":3,\"token\":\"bad\"}");
        assertThat(peer.readOne()).contains("\"id\":3").contains("unauthenticated");
        assertThat(peer.closeCode).isEqualTo(4101);
    }

    @Test
    void letsWhatIsSentBehindAConnectFrameWaitForItsVerdict() throws InterruptedException {
        // given: nobody may do anything without a token
        shard = new ShardUnderTest(new SessionLimits(
                ShardUnderTest.HEARTBEAT_MS,
                ShardUnderTest.MAX_FRAME,
                3,
                2,
                2,
                3_000,
                true,
                ReplayMerge.Limits.DEFAULT));
        List<Consumer<TokenVerifier.Verdict>> asked = shard.judgeTokensByHand();
        peer = shard.connect(Identity.UNIDENTIFIED, Handshake.WireFormat.WEBSOCKET, List.of());
        peer.read();
        var ann = new TokenVerifier.Verdict.Accepted(new Identity("ann", Long.MAX_VALUE, null, null));

        // when
        peer.textsAtOnce(
                "{\"op\":\"connect\",\"id\":1,\"token\":\"t\"}",
                "{\"op\":\"subscribe\",\"id\":2,\"channel\":\"c\"}",
                "{\"op\":\"connect\",\"id\":3,\"token\":\"t\"}",
                "{\"op\":\"ping\",\"id\":4}");

        // then
        assertThat(peer.read()).isEmpty();
        assertThat(peer.channel.config().isAutoRead()).isFalse();
        asked.getFirst().accept(ann);
        assertThat(peer.read())
                .satisfiesExactly(
                        f -> assertThat(f).contains("\"connected\",\"id\":1"),
                        f -> assertThat(f).contains("\"subscribed\",\"id\":2"));
        asked.get(1).accept(ann);
        assertThat(peer.read())
                .satisfiesExactly(
                        f -> assertThat(f).contains("\"connected\",\"id\":3"),
                        f -> assertThat(f).contains("\"pong\",\"id\":4"));
        assertThat(peer.channel.config().isAutoRead()).isTrue();
        // and a verdict that comes too late finds nobody
        peer.text("{\"op\":\"connect\",\"id\":5,\"token\":\"t\"}");
        peer.channel.disconnect0();
        shard.runLoop();
        asked.get(2).accept(ann);
        shard.runLoop();
        assertThat(shard.metrics.faults.sum()).isZero();
    }

    @Test
    void keepsAPersonalChannelThatASubscribeWithAFaultWasToReplace() throws InterruptedException {
        // given
        shard = new ShardUnderTest(ShardUnderTest.LIMITS, true);
        peer = shard.connect(
                new Identity("ann", Long.MAX_VALUE, null, null), Handshake.WireFormat.WEBSOCKET, List.of());
        assertThat(peer.read())
                .hasSize(2)
                .last()
                .asString()
                .contains("subscribed")
                .contains("user:ann");

        // when
        peer.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"user:ann\",\"last\":101}");
        assertThat(peer.readOne()).contains("limit_exceeded");
        peer.text("{\"op\":\"subscribe\",\"id\":2,\"channel\":\"user:ann\",\"after\":\"epoch000.1.5\"}");
        assertThat(peer.readOne()).contains("cursor_invalid");

        // then
        shard.publish("user:ann", "1");
        assertThat(peer.readOne()).contains("\"op\":\"event\"");
        peer.text("{\"op\":\"subscribe\",\"id\":3,\"channel\":\"user:ann\",\"after\":\"epoch000.0.-1\"}");
        assertThat(shard.replays).hasSize(1);
        assertThat(shard.metrics.subscriptions.sum()).isOne();
    }

    @Test
    void saysPendingToResumesThatOnlyWaitTheirTurn() throws InterruptedException {
        // given: two resumes at a time, and a replay service that does not answer
        for (int i = 0; i < 3; i++) {
            shard.publish("c" + i, "1");
        }
        for (int i = 0; i < 3; i++) {
            peer.text("{\"op\":\"subscribe\",\"id\":" + i + ",\"channel\":\"c" + i + "\",\"after\":\"epoch000.0.-1\"}");
        }
        assertThat(shard.replays).hasSize(2);
        assertThat(peer.read()).isEmpty();

        // when
        shard.pass(2_500);

        // then
        assertThat(peer.read()).hasSize(3).allMatch(f -> f.contains("\"recovery\":\"pending\""));
    }

    @Test
    void tellsAResumedClientItsOwnPositionWhenNothingWasMissed() throws InterruptedException {
        // given: the loop knows the channel since before the client's position
        peer.text("{\"op\":\"subscribe\",\"channel\":\"c\"}");
        shard.publish("c", "1");
        shard.publish("other", "2");
        ShardUnderTest.Peer back = shard.connect();
        back.read();

        // when
        back.text("{\"op\":\"subscribe\",\"id\":1,\"channel\":\"c\",\"after\":\"epoch000.0.0\"}");

        // then
        assertThat(back.readOne())
                .isEqualTo("{\"op\":\"subscribed\",\"id\":1,\"channel\":\"c\",\"cursor\":\"epoch000.0.0\","
                        + "\"recovery\":\"complete\",\"replayed\":0}");
        assertThat(shard.replays).isEmpty();
    }

    @Test
    void anEventStreamDoesNotResumeOverBlocksThatWereNotMadeForIt() throws InterruptedException {
        // given: a channel that only WebSockets have here
        peer.text("{\"op\":\"subscribe\",\"channel\":\"c\"}");
        shard.publish("c", "1");
        shard.publish("c", "2");

        // when
        var subscribe = new Handshake.Subscribe(new ChannelName("c"), Cursor.parse("epoch000.0.0"), -1);
        shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.SSE, List.of(subscribe));

        // then
        assertThat(shard.replays).hasSize(1);
    }

    @Test
    void drainsWithAReconnectAndItsCloseCode() {
        // when
        shard.shard.drain(1_000, new CountDownLatch(1));
        shard.runLoop();

        // then
        assertThat(peer.readOne()).contains("\"op\":\"reconnect\"").contains("\"reason\":\"drain\"");
        assertThat(peer.closeCode).isEqualTo(4001);
        ShardUnderTest.Peer late = shard.connect();
        assertThat(late.read()).hasSize(2).first().asString().contains("connected");
        assertThat(late.closeCode).isEqualTo(4001);
    }

    @Test
    void drainsACrowdALittleAtATimeAndServesTheOthersMeanwhile() throws InterruptedException {
        // given
        List<ShardUnderTest.Peer> crowd = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            crowd.add(shard.connect());
            crowd.getLast().text("{\"op\":\"subscribe\",\"channel\":\"c\"}");
            crowd.getLast().read();
        }
        CountDownLatch done = new CountDownLatch(1);
        shard.shard.drain(4 * Departures.STEP_MS, done);
        shard.runLoop();
        shard.pass(Sweep.TICK_MS);

        // when
        shard.publish("c", "1");

        // then
        long gone = 0;
        for (ShardUnderTest.Peer p : crowd) {
            List<String> frames = p.read();
            gone += p.closeCode == 4001 ? 1 : 0;
            assertThat(frames).hasSize(1).first().asString().contains(p.closeCode == 4001 ? "reconnect" : "event");
        }
        assertThat(gone).isBetween(10L, 30L);
        assertThat(done.getCount()).isEqualTo(1);
        shard.pass(4 * Sweep.TICK_MS); // the hand-run clock comes to one group each step
        assertThat(done.getCount()).isZero();
        crowd.forEach(ShardUnderTest.Peer::read);
        assertThat(crowd).allMatch(p -> p.closeCode == 4001);
    }

    @Test
    void tellsAnEventStreamWhenToComeBack() {
        // given
        ShardUnderTest.Peer stream = shard.connect(
                Identity.ANONYMOUS,
                Handshake.WireFormat.SSE,
                List.of(new Handshake.Subscribe(new ChannelName("c"), null, -1)));
        stream.readBytes();

        // when
        shard.shard.drain(0, new CountDownLatch(1));

        // then
        assertThat(stream.readBytes()).matches("retry: \\d{1,3}\n\n");
        assertThat(stream.isOpen()).isFalse();
    }

    @Test
    void sendsSomeElsewhereWhenTheLoopIsFarBehind() {
        // given
        List<ShardUnderTest.Peer> crowd = new ArrayList<>();
        crowd.add(peer);
        for (int i = 0; i < 150; i++) {
            crowd.add(shard.connect());
            crowd.getLast().read();
        }

        // when
        shard.loop.run(() -> shard.shard.departures().some(2));

        // then
        List<String> told = new ArrayList<>();
        crowd.forEach(p -> told.addAll(p.read()));
        assertThat(told)
                .hasSize(2)
                .allMatch(f -> f.contains("\"op\":\"reconnect\"") && f.contains("\"reason\":\"rebalance\""));
        assertThat(crowd).filteredOn(p -> p.closeCode == 4001).hasSize(2);
        assertThat(shard.metrics.rebalanced.sum()).isEqualTo(2);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void oneSessionsFaultCostsTheOthersNothing(boolean noMemory) throws InterruptedException {
        // given: an event stream whose buffers cannot be had, beside another one and a WebSocket
        Failing failing = new Failing(shard.allocator, noMemory);
        var subscribe = List.of(new Handshake.Subscribe(new ChannelName("c"), null, -1));
        ShardUnderTest.Peer broken = shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.SSE, subscribe, failing);
        ShardUnderTest.Peer stream = shard.connect(Identity.ANONYMOUS, Handshake.WireFormat.SSE, subscribe);
        peer.text("{\"op\":\"subscribe\",\"channel\":\"c\"}");
        peer.read();
        stream.readBytes();
        failing.now = true;

        // when
        shard.publish("c", "1");
        shard.publish("c", "2");

        // then
        assertThat(peer.read()).hasSize(2);
        assertThat(stream.readBytes())
                .contains("\"data\":1")
                .contains("\"data\":2")
                .contains("id: epoch000.0.1");
        assertThat(shard.metrics.faults.sum()).isEqualTo(1);
        assertThat(broken.isOpen()).isFalse();
        assertThat(broken.readBytes()).doesNotContain("id: epoch000.0.0").doesNotContain("\"data\":2");
    }

    /** Fails when it is told to. */
    private static final class Failing extends AbstractByteBufAllocator {
        private final ByteBufAllocator inner;
        private final boolean noMemory;
        boolean now;

        Failing(ByteBufAllocator inner, boolean noMemory) {
            this.inner = inner;
            this.noMemory = noMemory;
        }

        @Override
        protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
            return inner.heapBuffer(initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
            if (now && noMemory) {
                throw new OutOfMemoryError("for a test");
            }
            if (now) {
                throw new IllegalStateException("for a test");
            }
            return inner.directBuffer(initialCapacity, maxCapacity);
        }

        @Override
        public boolean isDirectBufferPooled() {
            return inner.isDirectBufferPooled();
        }
    }
}

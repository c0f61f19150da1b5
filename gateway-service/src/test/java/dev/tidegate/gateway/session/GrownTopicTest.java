package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Replay;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Partitions are added to the topic under open subscriptions (ADR 071). With one partition all channels lie in 0; with
 * three, {@code f} stays there and {@code a} moves to 1; with two, {@code f} lies in 1.
 */
class GrownTopicTest {
    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        peer = shard.connect();
        peer.read();
    }

    private void answer(int request, Cursor end, long... offsets) {
        var listener = shard.replayAnswers.get(request);
        for (long o : offsets) {
            listener.event(
                    end.at(o), end.at(-1).offset(), ("{\"replayed\":" + o + "}").getBytes(StandardCharsets.UTF_8));
        }
        listener.end(new Replay.End(0, end, true, null, null, null, null));
        shard.runLoop();
    }

    private static Cursor at(int partition, long offset) {
        return new Cursor("epoch000", partition, offset);
    }

    @Test
    void tellsAChannelThatStaysItsPositionAndOneThatMovesAGap() throws InterruptedException {
        // given
        peer.subscribe("f");
        peer.subscribe("a");
        shard.publish("f", "1");
        shard.publish("a", "2");
        shard.publish("unwanted", "3");
        peer.read();

        // when
        shard.growTopic(3, -1);

        // then
        assertThat(peer.read())
                .containsExactlyInAnyOrder(
                        "{\"op\":\"position\",\"channels\":{\"f\":\"epoch000.0.2\"}}",
                        "{\"op\":\"gap\",\"channel\":\"a\",\"after\":\"epoch000.0.1\",\"cursor\":\"epoch000.1.-1\",\"reason\":\"epoch\"}");
        assertThat(shard.replays).isEmpty();
        // and
        shard.publishAt(0, 3, "f", "4");
        assertThat(peer.readOne()).contains("\"cursor\":\"epoch000.0.3\",\"prev\":2");
        shard.publishAt(1, 0, "a", "5");
        assertThat(peer.readOne()).contains("\"cursor\":\"epoch000.1.0\",\"prev\":-1");
        shard.publishAt(0, 4, "a", "by a producer that does not know of it");
        assertThat(peer.read()).isEmpty();
        assertThat(shard.metrics.misplaced.sum()).isOne();
        assertThat(shard.metrics.faults.sum()).isZero();
    }

    @Test
    void fetchesWhatProducersWroteToTheNewPlaceBeforeTheGatewayKnewOfIt() throws InterruptedException {
        // given
        for (int i = 0; i < 5; i++) {
            shard.publish("unwanted", "1");
        }
        shard.growTopic(2, -1);
        peer.subscribe("f");
        shard.publishAt(1, 0, "f", "2");
        shard.publishAt(0, 5, "f", "3");
        assertThat(peer.readOne()).contains("\"cursor\":\"epoch000.1.0\"");

        // when
        shard.growTopic(3, 4);

        // then
        assertThat(peer.readOne())
                .contains("\"op\":\"gap\"")
                .contains("\"after\":\"epoch000.1.0\",\"cursor\":\"epoch000.0.4\",\"reason\":\"epoch\"");
        assertThat(shard.replays).singleElement().satisfies(r -> {
            assertThat(r.after()).isEqualTo(at(0, 4));
            assertThat(r.target()).isEqualTo(at(0, 5));
        });
        answer(0, at(0, 5), 5);
        shard.publishAt(0, 6, "f", "4");
        assertThat(peer.read())
                .satisfiesExactly(
                        replayed -> assertThat(replayed).isEqualTo("{\"replayed\":5}"),
                        live -> assertThat(live).contains("\"cursor\":\"epoch000.0.6\",\"prev\":5"));
    }

    @Test
    void answersACursorOfTheOldPlaceWithAGapAndAForeignOneWithAnError() throws InterruptedException {
        // given
        shard.publish("a", "1");
        shard.growTopic(3, 0);
        shard.publishAt(1, 0, "a", "2");

        // when
        peer.text("{\"op\":\"subscribe\",\"channel\":\"a\",\"after\":\"epoch000.0.0\"}");

        // then
        assertThat(shard.replays)
                .singleElement()
                .extracting(Replay.Request::after)
                .isEqualTo(at(1, -1));
        answer(0, at(1, 0), 0);
        assertThat(peer.read())
                .containsExactly(
                        "{\"op\":\"subscribed\",\"channel\":\"a\",\"cursor\":\"epoch000.1.0\",\"recovery\":\"gap\",\"replayed\":1}",
                        "{\"op\":\"gap\",\"channel\":\"a\",\"after\":\"epoch000.0.0\",\"cursor\":\"epoch000.1.-1\",\"reason\":\"epoch\"}",
                        "{\"replayed\":0}");
        // and
        peer.text("{\"op\":\"subscribe\",\"channel\":\"f\",\"after\":\"epoch000.2.0\"}");
        assertThat(peer.readOne()).contains("cursor_invalid");
        assertThat(shard.metrics.subscriptions.sum()).isOne();
    }

    @Test
    void goesOnWithResumesThatAreUnderWay() throws InterruptedException {
        // given: one on a channel that stays and one on a channel that moves
        for (int i = 0; i < 3; i++) {
            shard.publish("unwanted", "1");
        }
        peer.text("{\"op\":\"subscribe\",\"channel\":\"f\",\"after\":\"epoch000.0.0\"}");
        peer.text("{\"op\":\"subscribe\",\"channel\":\"a\",\"after\":\"epoch000.0.1\"}");
        shard.publish("a", "4");
        shard.publish("f", "5");

        // when
        shard.growTopic(3, 2);

        // then: up to where the tail stands now; for the one that has moved that is before the first record
        assertThat(shard.replays).extracting(Replay.Request::target).containsExactly(at(0, 2), at(0, 2), at(0, 4));
        assertThat(shard.replays.getLast().after()).isEqualTo(at(0, 0));
        assertThat(peer.read())
                .containsExactly(
                        "{\"op\":\"subscribed\",\"channel\":\"a\",\"cursor\":\"epoch000.1.-1\",\"recovery\":\"gap\",\"replayed\":0}",
                        "{\"op\":\"gap\",\"channel\":\"a\",\"after\":\"epoch000.0.1\",\"cursor\":\"epoch000.1.-1\",\"reason\":\"epoch\"}",
                        "{\"op\":\"position\",\"channels\":{\"a\":\"epoch000.1.-1\"}}");
        answer(2, at(0, 4), 4);
        assertThat(peer.read()).hasSize(2).last().isEqualTo("{\"replayed\":4}");
        shard.publishAt(0, 5, "f", "6");
        assertThat(peer.readOne()).contains("\"prev\":4");
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
    }

    @Test
    void tellsAnEventStreamTheSame() throws InterruptedException {
        // given
        ShardUnderTest.Peer stream = shard.connect(
                Identity.ANONYMOUS,
                Handshake.WireFormat.SSE,
                List.of(
                        new Handshake.Subscribe(new ChannelName("f"), null, -1),
                        new Handshake.Subscribe(new ChannelName("a"), null, -1)));
        shard.publish("a", "1");
        stream.readBytes();

        // when
        shard.growTopic(3, -1);

        // then: its token covers the partitions of now
        assertThat(stream.readBytes())
                .contains("event: gap\n")
                .contains("\"after\":\"epoch000.0.0\",\"cursor\":\"epoch000.1.-1\"")
                .endsWith("id: epoch000.0.0_1.-1\n\n");
    }

    @Test
    void aSlowSubscriptionOfAChannelThatMovesGoesOnThere() throws InterruptedException {
        // given
        peer.subscribe("a");
        peer.channel.setReading(false);
        shard.publish("a", "\"" + "x".repeat(17_000) + "\"");
        shard.publish("a", "2");

        // when
        shard.growTopic(3, -1);
        shard.publishAt(1, 0, "a", "3");
        peer.channel.setReading(true);

        // then
        assertThat(peer.read())
                .hasSize(2)
                .last()
                .asString()
                .contains("\"after\":\"epoch000.0.0\",\"cursor\":\"epoch000.1.-1\",\"reason\":\"epoch\"");
        assertThat(shard.replays)
                .singleElement()
                .extracting(Replay.Request::after)
                .isEqualTo(at(1, -1));
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What happens to subscriptions of a connection that takes no more, by their namespace's rule. */
class SlowClientTest {
    /** More than the connection's high water mark. */
    private static final String LARGE = "\"" + "x".repeat(17_000) + "\"";

    private ShardUnderTest shard;
    private ShardUnderTest.Peer peer;

    @BeforeEach
    void connect() throws InterruptedException {
        shard = new ShardUnderTest(ShardUnderTest.LIMITS);
        peer = shard.connect();
        peer.read();
    }

    /** The peer stops reading and its connection is full; offset 0 of the channel has been sent. */
    private void fillUp(String channel) throws InterruptedException {
        peer.channel.setReading(false);
        shard.publish(channel, LARGE);
    }

    private List<String> drain() {
        peer.channel.setReading(true);
        return peer.read();
    }

    /** Walks along the chain from a position: what came, as {@code offset} or {@code gap>offset}; fails at a hole. */
    private static List<String> chain(List<String> frames, String channel, long from) {
        List<String> seen = new ArrayList<>();
        long position = from;
        for (String f : frames) {
            if (!f.contains("\"channel\":\"" + channel + "\"")) {
                continue;
            }
            long offset = number(f, "\"cursor\":\"[^\"]*\\.(-?\\d+)\"");
            if (f.contains("\"op\":\"event\"")) {
                assertThat(number(f, "\"prev\":(-?\\d+)")).as(f).isLessThanOrEqualTo(position);
                assertThat(offset).as(f).isGreaterThan(position);
                seen.add(Long.toString(offset));
            } else {
                assertThat(f).contains("\"op\":\"gap\"").contains("\"reason\":\"overflow\"");
                assertThat(number(f, "\"after\":\"[^\"]*\\.(-?\\d+)\"")).isEqualTo(position);
                assertThat(offset).isGreaterThan(position);
                seen.add("gap>" + offset);
            }
            position = offset;
        }
        return seen;
    }

    private static long number(String in, String pattern) {
        Matcher m = Pattern.compile(pattern).matcher(in);
        assertThat(m.find()).as(in).isTrue();
        return Long.parseLong(m.group(1));
    }

    @Test
    void parkReplaysFromTheLastEventThatWasSent() throws InterruptedException {
        // given
        peer.subscribe("park:c");
        fillUp("park:c");
        shard.publish("park:c", "1");
        shard.publish("park:c", "2");

        // when
        List<String> got = drain();

        // then
        assertThat(chain(got, "park:c", -1)).containsExactly("0");
        assertThat(shard.replays).singleElement().satisfies(r -> {
            assertThat(r.after()).hasToString("epoch000.0.0");
            assertThat(r.upTo()).isEqualTo(2);
        });
        assertThat(shard.metrics.slow(SlowClient.PARK).sum()).isEqualTo(1);
        assertThat(shard.metrics.passedOver(SlowClient.PARK).sum()).isEqualTo(2);
    }

    @Test
    void conflateDeliversTheNewestOfEachSubjectAndTellsWhatItSkipped() throws InterruptedException {
        // given
        peer.subscribe("conflate:c");
        fillUp("conflate:c");
        shard.publishBatch("conflate:c", "1", "a", "2", "b", "3", "a"); // offsets 1 to 3
        shard.publish("elsewhere", "4");
        shard.publishBatch("conflate:c", "5", "", "6", "", "7", "c");

        // when
        List<String> got = drain();
        shard.publish("conflate:c", "8");
        got.addAll(peer.read());

        // then: 1 gave way to 3, 5 to 6; 2 is told after what it skipped, 3 follows it, 8 is live
        assertThat(chain(got, "conflate:c", -1)).containsExactly("0", "gap>1", "2", "3", "gap>5", "6", "7", "8");
        assertThat(shard.replays).isEmpty();
        assertThat(shard.metrics.passedOver(SlowClient.CONFLATE).sum()).isEqualTo(6);
        assertThat(shard.metrics.conflated.sum()).isEqualTo(4);
        assertThat(shard.shard.kept.used()).isZero();
    }

    @Test
    void conflateGoesOnWithNewerOnesWhenTheConnectionFillsUpAgain() throws InterruptedException {
        // given: the first of the kept ones fills the connection by itself
        peer.subscribe("conflate:c");
        fillUp("conflate:c");
        shard.publishBatch("conflate:c", LARGE, "a", "2", "b");
        peer.channel.setReading(true);
        peer.channel.setReading(false);
        shard.runLoop();
        List<String> got = peer.read();

        // when
        shard.publishBatch("conflate:c", LARGE, "a", "4", "b");
        got.addAll(drain());
        got.addAll(peer.read());

        // then
        assertThat(chain(got, "conflate:c", -1)).endsWith("4").doesNotHaveDuplicates();
        assertThat(shard.shard.kept.used()).isZero();
    }

    @Test
    void conflateTellsAGapWhereItsBoundsMadeItForget() throws InterruptedException {
        // given: two subjects at most
        SessionLimits two = new SessionLimits(
                ShardUnderTest.HEARTBEAT_MS,
                ShardUnderTest.MAX_FRAME,
                3,
                2,
                2,
                3_000,
                false,
                ReplayMerge.Limits.DEFAULT,
                new SessionLimits.Kept(2, 4_000),
                SessionLimits.BEARABLE_MS);
        shard = new ShardUnderTest(two);
        peer = shard.connect();
        peer.read();
        peer.subscribe("conflate:c");
        fillUp("conflate:c");
        shard.publishBatch("conflate:c", "1", "a", "2", "b", "3", "c");
        shard.publishBatch("conflate:c", LARGE, "d"); // larger than everything that may be kept

        // when
        List<String> got = drain();

        // then
        assertThat(chain(got, "conflate:c", -1)).containsExactly("0", "gap>4");
        assertThat(shard.metrics.conflationOverflows.sum()).isEqualTo(4);
        assertThat(shard.shard.kept.used()).isZero();
    }

    @Test
    void conflateIsSharedByAllSlowSubscriptionsOfAChannel() throws InterruptedException {
        // given: one is slow from the start, the other one from the third event on
        peer.subscribe("conflate:c");
        ShardUnderTest.Peer other = shard.connect();
        other.text("{\"op\":\"subscribe\",\"channel\":\"conflate:c\"}");
        other.read();
        fillUp("conflate:c");
        List<String> othersFrames = other.read();
        shard.publishBatch("conflate:c", "1", "a");
        other.channel.setReading(false);
        shard.publishBatch("conflate:c", LARGE, "b");
        shard.publishBatch("conflate:c", "3", "a", "4", "c");
        long kept = shard.shard.kept.used();

        // when
        List<String> got = drain();
        long stillKept = shard.shard.kept.used();
        other.channel.setReading(true);
        othersFrames.addAll(other.read());

        // then
        assertThat(chain(got, "conflate:c", -1)).containsExactly("0", "gap>1", "2", "3", "4");
        assertThat(chain(othersFrames, "conflate:c", -1)).containsExactly("0", "1", "2", "3", "4");
        assertThat(kept).isPositive();
        assertThat(stillKept).isEqualTo(kept);
        assertThat(shard.shard.kept.used()).isZero();
    }

    @Test
    void conflateForgetsWhenTheSlowOneLeavesAndWhenTheTopicIsRecreated() throws InterruptedException {
        // given
        peer.subscribe("conflate:c");
        fillUp("conflate:c");
        shard.publishBatch("conflate:c", "1", "a");
        assertThat(shard.shard.kept.used()).isPositive();

        // when / then
        shard.recreateTopic("epoch111");
        assertThat(shard.shard.kept.used()).isZero();
        shard.publishBatch("conflate:c", "0", "a", "1", "a");
        assertThat(shard.shard.kept.used()).isPositive();
        peer.channel.disconnect0();
        shard.runLoop();
        assertThat(shard.shard.kept.used()).isZero();
        assertThat(shard.allocator.metric().usedDirectMemory()).isZero();
    }

    @Test
    void conflateServesEventStreams() throws InterruptedException {
        // given
        ShardUnderTest.Peer stream = shard.connect(
                Identity.ANONYMOUS,
                Handshake.WireFormat.SSE,
                List.of(new Handshake.Subscribe(new ChannelName("conflate:c"), null, -1)));
        stream.channel.setReading(false);
        shard.publish("conflate:c", LARGE);
        shard.publishBatch("conflate:c", "1", "a", "2", "a");

        // when
        stream.readBytes();
        stream.channel.setReading(true);
        String got = stream.readBytes();

        // then
        assertThat(got)
                .contains("event: gap\ndata: {\"op\":\"gap\",\"channel\":\"conflate:c\",\"after\":\"epoch000.0.0\","
                        + "\"cursor\":\"epoch000.0.1\",\"reason\":\"overflow\"}\nid: epoch000.0.1\n\n")
                .contains("\"cursor\":\"epoch000.0.2\"")
                .endsWith("id: epoch000.0.2\n\n");
    }

    @Test
    void dropTellsAGapAndGoesOnLive() throws InterruptedException {
        // given
        peer.subscribe("drop:c");
        fillUp("drop:c");
        shard.publishBatch("drop:c", "1", "", "2", "");
        shard.publish("drop:c", "3");

        // when
        List<String> got = drain();
        shard.publish("drop:c", "4");
        got.addAll(peer.read());

        // then
        assertThat(chain(got, "drop:c", -1)).containsExactly("0", "gap>3", "4");
        assertThat(shard.metrics.passedOver(SlowClient.DROP).sum()).isEqualTo(3);
        assertThat(shard.replays).isEmpty();
    }

    @Test
    void disconnectClosesAndSendsNothingMore() throws InterruptedException {
        // given
        peer.subscribe("disconnect:c");
        peer.subscribe("park:c");
        fillUp("disconnect:c");

        // when: the connection drains at once, but is being closed already
        shard.publish("disconnect:c", "1");
        shard.publish("park:c", "2");
        List<String> got = drain();

        // then
        assertThat(chain(got, "disconnect:c", -1)).containsExactly("0");
        assertThat(chain(got, "park:c", -1)).isEmpty();
        assertThat(peer.closeCode).isEqualTo(4004);
        assertThat(shard.replays).isEmpty();
        assertThat(shard.metrics.slow(SlowClient.DISCONNECT).sum()).isEqualTo(1);
        assertThat(shard.metrics.subscriptions.sum()).isZero();
    }

    @ParameterizedTest
    @EnumSource(SlowClient.class)
    void aConnectionThatTakesEverythingNoticesNothing(SlowClient policy) throws InterruptedException {
        // given
        peer.subscribe(policy + ":c");

        // when
        shard.publishBatch(policy + ":c", "0", "a", "1", "a");
        shard.publish(policy + ":c", "2");

        // then
        assertThat(chain(peer.read(), policy + ":c", -1)).containsExactly("0", "1", "2");
        assertThat(shard.metrics.slow(policy).sum()).isZero();
    }
}

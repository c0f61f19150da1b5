package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.channelIn;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.ReplayStand.Answered;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the gateway's call answers, from memory, from Kafka, across both, and where the log has changed under it. */
@Timeout(360)
class ReplayTiersTest {
    private final ReplayStand stand = new ReplayStand();

    @AfterEach
    void close() {
        stand.close();
    }

    @Test
    void whatWasMissedComesFromMemoryInOrderAndChained() {
        // given
        String channel = channelIn(0, "news");
        String other = channelIn(0, "other");
        List<Cursor> mine = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            mine.addAll(stand.publishMany(channel, 2));
            stand.publishMany(other, 3);
        }
        stand.startReady();

        // when
        Answered all = stand.replay(stand.after(channel, mine.get(2), 24)).getFirst();
        Answered fromStart =
                stand.replay(stand.after(channel, mine.get(0).at(-1), 24)).getFirst();
        Answered nothing = stand.replay(stand.after(channel, mine.get(9), 24)).getFirst();
        Answered upTo = stand.replay(stand.after(channel, mine.get(2), 11)).getFirst();

        // then
        assertThat(all.offsets()).isEqualTo(offsets(mine.subList(3, 10)));
        assertChained(all, mine.get(2).offset());
        assertThat(all.end()).isEqualTo(complete(0, mine.get(0).at(24), Replay.Tier.MEMORY));
        assertThat(fromStart.events()).hasSize(10);
        assertThat(nothing.events()).isEmpty();
        assertThat(nothing.end()).isEqualTo(complete(0, mine.get(0).at(24), Replay.Tier.MEMORY));
        assertThat(upTo.offsets()).isEqualTo(List.of(mine.get(3).offset(), 10L, 11L));
        assertThat(new String(all.events().getFirst().frame(), java.nio.charset.StandardCharsets.UTF_8))
                .startsWith("{\"op\":\"event\",\"channel\":\"" + channel + "\",\"cursor\":\"" + mine.get(3)
                        + "\",\"prev\":" + mine.get(2).offset())
                .contains("\"replay\":true", "\"data\":{\"n\":1}");
    }

    @Test
    void oneAnswerCrossesFromKafkaToMemory() {
        // given: memory begins in the middle of the channel
        String channel = channelIn(1, "orders:eu");
        List<Cursor> before = stand.publishMany(channel, 300);
        stand.startReady("tidegate.replay.recent.fill", "false");
        List<Cursor> later = stand.publishMany(channel, 200);
        long end = later.getLast().offset();

        // when
        Answered all = stand.replay(stand.after(channel, before.get(9), end)).getFirst();
        Answered recent =
                stand.replay(stand.after(channel, before.getLast(), end)).getFirst();

        // then
        assertThat(all.events()).hasSize(490);
        assertThat(all.offsets().getLast()).isEqualTo(end);
        assertChained(all, before.get(9).offset());
        assertThat(all.end()).isEqualTo(complete(0, later.getLast(), Replay.Tier.KAFKA));
        assertThat(recent.events()).hasSize(200);
        assertThat(recent.end().tier()).isEqualTo(Replay.Tier.MEMORY);
    }

    @Test
    void lastCountsBackAcrossTheTiers() {
        // given
        String channel = channelIn(2, "demo");
        String other = channelIn(2, "other");
        List<Cursor> before = stand.publishMany(channel, 30);
        stand.publishMany(other, 50);
        stand.startReady("tidegate.replay.recent.fill", "false", "tidegate.replay.scan.last-records", "60");
        List<Cursor> later = stand.publishMany(channel, 4);
        stand.publishMany(other, 5);
        long end = later.getLast().offset() + 5;

        // when, then: all in memory
        Answered three = stand.replay(stand.last(channel, 3, end)).getFirst();
        assertThat(three.offsets()).isEqualTo(offsets(later.subList(1, 4)));
        assertThat(three.end()).isEqualTo(complete(0, later.getLast().at(end), Replay.Tier.MEMORY));
        assertThat(three.endLine()).doesNotContain("searchedFrom");

        // when, then: some in Kafka, within the bound
        Answered ten = stand.replay(stand.last(channel, 10, end)).getFirst();
        assertThat(ten.offsets()).isEqualTo(offsets(concat(before.subList(24, 30), later)));
        assertChained(ten, before.get(23).offset());
        assertThat(ten.endLine()).doesNotContain("searchedFrom");

        // when, then: the search stops at its bound, and says so
        Answered twenty = stand.replay(stand.last(channel, 20, end)).getFirst();
        assertThat(twenty.offsets()).isEqualTo(offsets(concat(before.subList(20, 30), later)));
        assertThat(twenty.end().complete()).isTrue();
        assertThat(twenty.endLine()).contains("\"searchedFrom\":\"" + before.get(19) + "\"");

        // when, then: a channel without events, and none wanted
        Answered none = stand.replay(stand.last(channelIn(2, "quiet"), 5, end)).getFirst();
        assertThat(none.events()).isEmpty();
        assertThat(none.end().complete()).isTrue();
        assertThat(stand.replay(stand.last(channel, 0, end)).getFirst().events())
                .isEmpty();
    }

    @Test
    void requestsOfOneCallAreAnsweredInOrderAndShareTheReadOfAPartition() {
        // given: 60 channels, all older than memory
        List<String> channels = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            channels.add(channelIn(0, "room-" + i));
        }
        List<Cursor> first = new ArrayList<>();
        for (String channel : channels) {
            first.add(stand.publishMany(channel, 1).getFirst());
        }
        for (String channel : channels) {
            stand.publishMany(channel, 5);
        }
        stand.startReady("tidegate.replay.recent.fill", "false");
        long end = 60 * 6 - 1;

        // when
        List<Replay.Request> requests = new ArrayList<>();
        for (int i = 0; i < channels.size(); i++) {
            requests.add(stand.after(channels.get(i), first.get(i), end));
        }
        List<Answered> answers = stand.replay(requests);

        // then
        assertThat(answers).hasSize(60);
        for (int i = 0; i < answers.size(); i++) {
            assertThat(answers.get(i).end().request()).isEqualTo(i);
            assertThat(answers.get(i).events()).hasSize(5);
            assertChained(answers.get(i), first.get(i).offset());
            assertThat(answers.get(i).end().complete()).isTrue();
        }
        // One scan, mostly; another for those who were not there in time when a slow machine had begun it.
        // It is counted a moment after those who waited have been told.
        await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_scan_requests_total") == 60);
        double scans = stand.metric("tidegate_replay_scan_scans_total");
        assertThat(scans).isBetween(1.0, 10.0);
        assertThat(stand.metric("tidegate_replay_scan_records_total")).isLessThanOrEqualTo(scans * 360);
    }

    @Test
    void clientsThatComeTogetherShareReadsAlthoughEachCallsForItself() {
        // given: 120 sparse channels in one partition, all older than memory
        List<String> channels = new ArrayList<>();
        List<Cursor> first = new ArrayList<>();
        for (int i = 0; i < 120; i++) {
            channels.add(channelIn(0, "sparse-" + i));
            first.add(stand.publish(channels.get(i), "0"));
        }
        for (int round = 0; round < 3; round++) {
            for (String channel : channels) {
                stand.publishMany(channel, 1);
            }
        }
        stand.startReady(
                "tidegate.replay.recent.fill", "false",
                "tidegate.replay.max-wait", "30s",
                "tidegate.replay.admission.calls", "120",
                "tidegate.replay.scan.concurrent", "2");

        List<Replay.Request> requests = new ArrayList<>();
        for (int i = 0; i < channels.size(); i++) {
            requests.add(stand.after(channels.get(i), first.get(i), 480));
        }

        // when: all of them wait for the same record, and so begin at the same time
        List<CompletableFuture<Answered>> calls = new ArrayList<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (Replay.Request request : requests) {
                calls.add(CompletableFuture.supplyAsync(
                        () -> stand.replay(request).getFirst(), threads));
            }
            await().atMost(ReplayStand.PATIENCE)
                    .until(() -> stand.metric("tidegate_replay_calls_active{call=\"replay\"}") == 120);
            stand.publish(channelIn(0, "other"), "0");
        }

        // then
        for (int i = 0; i < calls.size(); i++) {
            Answered answer = calls.get(i).join();
            assertThat(answer.end().error()).isNull();
            assertThat(answer.events()).hasSize(3);
            assertThat(answer.end().complete()).isTrue();
            assertChained(answer, first.get(i).offset());
        }
        // A scan is counted up a moment after those who waited have been told.
        await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_scan_requests_total") == 120);
        assertThat(stand.metric("tidegate_replay_scan_scans_total")).isLessThan(60);
        await().atMost(ReplayStand.PATIENCE).until(() -> stand.metric("tidegate_replay_scan_buffered_bytes") == 0);
    }

    @Test
    void aNamespaceThatIsNotKeptInMemoryIsReadFromKafka() {
        // given
        String channel = channelIn(0, "orders:eu");
        String other = channelIn(0, "news");
        stand.startReady("tidegate.namespaces.orders.recent", "false");
        List<Cursor> all = stand.publishMany(channel, 10);
        stand.publishMany(other, 5);

        // when
        Answered missed = stand.replay(stand.after(channel, all.get(3), 14)).getFirst();
        Answered last = stand.replay(stand.last(channel, 4, 14)).getFirst();
        Answered kept = stand.replay(stand.after(other, all.get(9), 14)).getFirst();

        // then
        assertThat(missed.offsets()).isEqualTo(offsets(all.subList(4, 10)));
        assertThat(missed.end()).isEqualTo(complete(0, all.get(0).at(14), Replay.Tier.KAFKA));
        assertThat(last.offsets()).isEqualTo(offsets(all.subList(6, 10)));
        assertThat(kept.events()).hasSize(5);
        assertThat(kept.end().tier()).isEqualTo(Replay.Tier.MEMORY);
        assertThat(stand.metric("tidegate_replay_recent_records")).isEqualTo(5);
    }

    @Test
    void settingsThatCannotBeUsedEndTheStartWithOneLine() {
        for (String[] wrong : new String[][] {
            {"tidegate.replay.recent.bytes", "1KB", "tidegate.replay.recent.bytes: 1024 bytes (expected: "},
            {"tidegate.replay.recent.bytes", "15GB", "expected: at most 90 % of the"},
            {"tidegate.replay.max-wait", "0s", "tidegate.replay.max-wait: 0ms (expected: 10ms to 60000ms)"},
            {"tidegate.auth.hs256-secret", "short", "tidegate.auth.hs256-secret: 5 bytes (expected: at least 32"},
            {"tidegate.auth.jwks-outage", "1s", "tidegate.auth.jwks-outage: 1000ms (expected: 300000ms to"},
            {"tidegate.fanout.topic", "a b", "tidegate.fanout.topic: a b (expected: a Kafka topic name)"}
        }) {
            assertThatThrownBy(() -> stand.start(wrong[0], wrong[1]))
                    .as(wrong[0])
                    .rootCause()
                    .hasMessageContaining(wrong[2]);
        }
    }

    @Test
    void aPageEndsAtItsBoundsAndTheNextGoesOn() {
        // given
        String channel = channelIn(0, "chat:busy");
        List<Cursor> old = stand.publishMany(channel, 250);
        stand.startReady("tidegate.replay.recent.fill", "false", "tidegate.replay.page.max-events", "100");
        List<Cursor> all = concat(old, stand.publishMany(channel, 200));
        long end = all.getLast().offset();

        // when: pages by the request's limit, then by the service's
        List<Long> got = new ArrayList<>();
        Cursor at = all.getFirst().at(-1);
        int pages = 0;
        boolean complete = false;
        while (!complete) {
            Answered page = stand.replay(stand.after(channel, at, end, pages == 0 ? 70 : 1000))
                    .getFirst();
            assertChained(page, at.offset());
            got.addAll(page.offsets());
            at = page.end().cursor();
            complete = page.end().complete();
            pages++;
            assertThat(page.events().size()).isLessThanOrEqualTo(pages == 1 ? 70 : 100);
            assertThat(at.offset()).isEqualTo(got.getLast());
        }

        // then
        assertThat(got).isEqualTo(offsets(all));
        assertThat(pages).isBetween(5, 6);

        // and when a page is bounded by bytes
        stand.stop();
        stand.startReady("tidegate.replay.page.max-bytes", "10KB");
        Answered small = stand.replay(stand.after(channel, all.getFirst(), end)).getFirst();
        assertThat(small.end().complete()).isFalse();
        assertThat(small.events().size()).isBetween(20, 110);
    }

    @Test
    void waitsForWhatIsOnItsWayAndNotForEver() {
        // given: a producer that has its metadata, and need not ask for them while the request waits
        stand.startReady();
        String channel = channelIn(0, "news");
        stand.publish(channelIn(1, "other"), "0");
        Cursor start = new Cursor(stand.epoch(), 0, -1);

        // when an event arrives while the request waits for it
        var waiting = CompletableFuture.supplyAsync(
                () -> stand.replay(stand.after(channel, start, 0)).getFirst(), Thread::startVirtualThread);
        stand.publish(channel, "1");

        // then
        assertThat(waiting.join().offsets()).containsExactly(0L);

        // when it never comes
        stand.stop();
        stand.startReady("tidegate.replay.max-wait", "1s");
        long before = System.nanoTime();
        Answered never = stand.replay(stand.after(channel, start, 1)).getFirst();

        // then
        assertThat(never.end().error()).isEqualTo(ErrorCode.UNAVAILABLE);
        assertThat(never.end().message()).contains("read up to 0, not yet to 1");
        assertThat(never.end().complete()).isFalse();
        assertThat(System.nanoTime() - before).isGreaterThan(900_000_000L);
    }

    @Test
    void anEmptyPartitionIsComplete() {
        // given
        stand.startReady();
        Cursor start = new Cursor(stand.epoch(), 1, -1);

        // when
        Answered answer =
                stand.replay(stand.after(channelIn(1, "x"), start, -1)).getFirst();
        Answered last = stand.replay(stand.last(channelIn(1, "x"), 3, -1)).getFirst();

        // then
        assertThat(answer.end()).isEqualTo(complete(0, start, Replay.Tier.MEMORY));
        assertThat(last.end()).isEqualTo(complete(0, start, Replay.Tier.MEMORY));
    }

    @Test
    void cursorsThatCannotBeOursAreRefused() {
        // given
        String channel = channelIn(0, "news");
        Cursor only = stand.publish(channel, "1");
        stand.startReady();

        // when
        Answered future = stand.replay(stand.after(channel, only.at(7), 0)).getFirst();
        Answered otherPartition = stand.replay(stand.after(channel, new Cursor(only.epoch(), 1, 0), 0))
                .getFirst();
        Answered aheadOfGateway = stand.replay(stand.after(channel, only, -1)).getFirst();

        // then
        assertThat(future.end().error()).isEqualTo(ErrorCode.CURSOR_INVALID);
        assertThat(future.end().message()).contains("after: " + only.at(7) + " lies beyond the end of the log");
        assertThat(otherPartition.end().error()).isEqualTo(ErrorCode.CURSOR_INVALID);
        assertThat(aheadOfGateway.end()).isEqualTo(complete(0, only, Replay.Tier.MEMORY));
    }

    @Test
    void expiredHistoryIsAGapAndWhatRemainsFollows() {
        // given
        String channel = channelIn(0, "news");
        List<Cursor> all = stand.publishMany(channel, 20);
        stand.startReady();
        Replay.Request request = stand.after(channel, all.get(3), 19);
        assertThat(stand.replay(request).getFirst().events()).hasSize(16);

        // when
        stand.deleteRecordsBefore(0, 10);

        // then: memory still has them, but what retention removed is not served
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            Answered answer = stand.replay(request).getFirst();
            assertThat(answer.gaps()).hasSize(1);
            assertThat(answer.gaps().getFirst().gap()).isEqualTo(new Gap(all.get(3), all.get(9), Gap.Reason.EXPIRED));
            assertThat(answer.end().gap()).isEqualTo(answer.gaps().getFirst().gap());
            assertThat(answer.offsets()).isEqualTo(offsets(all.subList(10, 20)));
            assertChained(answer, 9);
        });
        assertThat(stand.replay(stand.last(channel, 15, 19)).getFirst().offsets())
                .isEqualTo(offsets(all.subList(10, 20)));

        // and when everything is gone
        stand.deleteRecordsBefore(0, 20);
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            Answered answer = stand.replay(request).getFirst();
            assertThat(answer.events()).isEmpty();
            assertThat(answer.end())
                    .isEqualTo(new Replay.End(
                            0,
                            all.get(19),
                            true,
                            new Gap(all.get(3), all.get(19), Gap.Reason.EXPIRED),
                            Replay.Tier.MEMORY,
                            null,
                            null));
        });
    }

    @Test
    void noGapIsToldToWhoMissedNothing() {
        // given
        String channel = channelIn(0, "quiet");
        String other = channelIn(0, "other");
        Cursor mine = stand.publish(channel, "1");
        stand.publishMany(other, 30);
        stand.startReady();

        // when the partition loses its beginning, the channel's last event included
        stand.deleteRecordsBefore(0, 20);
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.replay(stand.after(other, mine, 30))
                                .getFirst()
                                .end()
                                .gap()
                        != null);

        // then
        Answered fresh = stand.replay(stand.after(channel, mine.at(19), 30)).getFirst();
        assertThat(fresh.end().gap()).as("a fresh cursor").isNull();
        Answered whole = stand.replay(stand.after(channel, mine, 30)).getFirst();
        assertThat(whole.end().gap())
                .as("nothing of this channel was removed after the cursor")
                .isNull();
        Answered first = stand.replay(stand.after(channel, mine.at(-1), 30)).getFirst();
        assertThat(first.end().gap()).as("its first event was").isNotNull();

        // and then, after a restart, nobody knows any more: the partition lost offsets after the cursor
        stand.stop();
        stand.startReady();
        assertThat(stand.replay(stand.after(channel, mine, 30)).getFirst().end().gap())
                .isEqualTo(new Gap(mine, mine.at(19), Gap.Reason.EXPIRED));
        assertThat(stand.replay(stand.after(channel, mine.at(19), 30))
                        .getFirst()
                        .end()
                        .gap())
                .isNull();
    }

    @Test
    void historyThatExpiresWhileItIsReadIsAGapToo() {
        // given: the watch sleeps, so the service believes that everything is there
        String channel = channelIn(0, "news");
        List<Cursor> all = stand.publishMany(channel, 20);
        stand.startReady("tidegate.replay.recent.fill", "false", "tidegate.replay.topic-check", "60s");

        // when
        stand.deleteRecordsBefore(0, 10);
        Answered answer = stand.replay(stand.after(channel, all.get(3), 19)).getFirst();

        // then
        assertThat(answer.end().error()).isNull();
        assertThat(answer.gaps().getFirst().gap()).isEqualTo(new Gap(all.get(3), all.get(9), Gap.Reason.EXPIRED));
        assertThat(answer.offsets()).isEqualTo(offsets(all.subList(10, 20)));
    }

    @Test
    void aRecreatedTopicIsAnotherEpoch() {
        // given
        String channel = channelIn(0, "news");
        List<Cursor> old = stand.publishMany(channel, 10);
        stand.startReady("tidegate.replay.max-wait", "2s");
        String oldEpoch = stand.epoch();

        // when
        stand.deleteTopic();
        stand.createTopic();
        List<Cursor> fresh = stand.publishMany(channel, 4);
        assertThat(fresh.getFirst().epoch()).isNotEqualTo(oldEpoch);

        // then
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            Answered answer = stand.replay(stand.after(channel, old.get(4), 3)).getFirst();
            assertThat(answer.end().error()).isNull();
            assertThat(answer.end().gap())
                    .isEqualTo(new Gap(old.get(4), fresh.getFirst().at(-1), Gap.Reason.EPOCH));
            assertThat(answer.gaps()).hasSize(1);
            assertThat(answer.offsets()).containsExactly(0L, 1L, 2L, 3L);
            assertChained(answer, -1);
        });

        // and a gateway that still reads the old one is told to wait
        Replay.Request stale =
                new Replay.Request(new dev.tidegate.protocol.ChannelName(channel), old.get(4), -1, oldEpoch, 0, 9, 100);
        Answered unavailable = stand.replay(stale).getFirst();
        assertThat(unavailable.end().error()).isEqualTo(ErrorCode.UNAVAILABLE);
        assertThat(unavailable.end().message()).contains("epoch");
    }

    @Test
    void recordsThatAreNoEventsOccupyTheirOffsetsOnly() {
        // given
        String channel = channelIn(0, "news");
        byte[] key = channel.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
        stand.publish(channel, "1");
        send(0, null, "2");
        send(0, "no channel!".getBytes(java.nio.charset.StandardCharsets.US_ASCII), "3");
        send(0, key, "{not json");
        send(0, key, null);
        send(0, channelIn(1, "misplaced").getBytes(java.nio.charset.StandardCharsets.US_ASCII), "4");
        send(0, key, "\"" + "x".repeat(70_000) + "\"");
        Cursor last = stand.publish(channel, "5");

        for (String fill : List.of("true", "false")) {
            // when: from memory, then from Kafka
            stand.startReady("tidegate.replay.recent.fill", fill);
            Answered answer = stand.replay(stand.after(channel, last.at(-1), last.offset()))
                    .getFirst();
            Answered misplaced = stand.replay(
                            stand.after(channelIn(1, "misplaced"), new Cursor(last.epoch(), 1, -1), -1))
                    .getFirst();

            // then
            assertThat(answer.offsets()).containsExactly(0L, 7L);
            assertThat(misplaced.events()).isEmpty();
            if (fill.equals("true")) {
                assertThat(stand.metric("tidegate_replay_tail_undeliverable_total"))
                        .isEqualTo(6);
                assertThat(stand.metric("tidegate_replay_tail_undeliverable_total{reason=\"misplaced\"}"))
                        .isEqualTo(1);
            }
            stand.stop();
        }
    }

    private void send(int partition, byte[] key, String value) {
        ReplayStand.get(stand.producer.send(new org.apache.kafka.clients.producer.ProducerRecord<>(
                stand.topic,
                partition,
                key,
                value == null ? null : value.getBytes(java.nio.charset.StandardCharsets.UTF_8))));
    }

    static void assertChained(Answered answer, long position) {
        long at = position;
        for (Replay.Line.Event e : answer.events()) {
            assertThat(e.prev()).isLessThanOrEqualTo(at);
            assertThat(e.cursor().offset()).isGreaterThan(at);
            at = e.cursor().offset();
        }
    }

    private static Replay.End complete(int request, Cursor cursor, Replay.Tier tier) {
        return new Replay.End(request, cursor, true, null, tier, null, null);
    }

    private static List<Long> offsets(List<Cursor> cursors) {
        return cursors.stream().map(Cursor::offset).toList();
    }

    private static List<Cursor> concat(List<Cursor> a, List<Cursor> b) {
        List<Cursor> both = new ArrayList<>(a);
        both.addAll(b);
        return both;
    }
}

package dev.tidegate.replay;

import static dev.tidegate.replay.ReplayStand.PARTITIONS;
import static dev.tidegate.replay.ReplayStand.channelIn;
import static dev.tidegate.replay.ReplayStand.partitionOf;
import static dev.tidegate.replay.ReplayTiersTest.assertChained;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.ReplayStand.Answered;
import dev.tidegate.testsupport.Backends;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What is archived, and answers that cross memory, archive and Kafka. */
@Timeout(480)
class ArchiveTest {
    private static final String POSTGRES = Backends.shared().postgres();

    private final ReplayStand stand = new ReplayStand();

    @AfterEach
    void close() {
        stand.close();
    }

    private ReplayStand archiving(Object... more) {
        List<Object> all = new ArrayList<>(List.of(
                "tidegate.postgres.url", POSTGRES,
                "tidegate.namespaces.orders.archive", "true",
                "tidegate.replay.archive.linger", "50ms"));
        all.addAll(List.of(more));
        return stand.startReady(all.toArray());
    }

    /** A memory of some 1,000 small events. */
    private static final Object[] LITTLE_MEMORY = {
        "tidegate.fanout.max-payload-bytes", "1024B", "tidegate.replay.recent.bytes", "131072B"
    };

    private void awaitArchived(int partition, long end) {
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> ArchivedRecord.position(POSTGRES, stand.epoch(), partition) >= end);
    }

    @Test
    void replayOverThreeTiersEqualsTheTopic() {
        // given: channels of two namespaces in all partitions, one archived, with more events than memory holds
        long seed = System.nanoTime();
        Random random = new Random(seed);
        List<String> channels = new ArrayList<>();
        for (int p = 0; p < PARTITIONS; p++) {
            for (int i = 0; i < 4; i++) {
                channels.add(channelIn(p, "orders:" + p + i));
                channels.add(channelIn(p, "demo:" + p + i));
            }
        }
        Map<String, List<Long>> truth = new LinkedHashMap<>();
        long[] ends = new long[PARTITIONS];
        publish(random, channels, 3_000, truth, ends);
        archiving(LITTLE_MEMORY);
        publish(random, channels, 2_000, truth, ends);
        for (int p = 0; p < PARTITIONS; p++) {
            awaitArchived(p, ends[p]);
        }
        String epoch = stand.epoch();
        List<ArchivedRecord> inTopic =
                ArchivedRecord.inTopic(Backends.shared().kafka(), stand.topic, PARTITIONS, "orders");
        assertThat(ArchivedRecord.inArchive(POSTGRES, epoch)).isEqualTo(inTopic);

        // when Kafka loses the first half, and some more is published while the service is down, so that it is not in
        // memory
        long[] starts = new long[PARTITIONS];
        for (int p = 0; p < PARTITIONS; p++) {
            starts[p] = ends[p] / 2;
            stand.deleteRecordsBefore(p, starts[p]);
        }
        stand.stop();
        publish(random, channels, 2_000, truth, ends);
        // One that archives no more: what was published meanwhile is in Kafka alone, until memory begins.
        List<Object> settings = new ArrayList<>(List.of(LITTLE_MEMORY));
        settings.addAll(List.of("tidegate.replay.archive.linger", "60s", "tidegate.replay.page.max-events", "100"));
        archiving(settings.toArray());
        await().atMost(ReplayStand.PATIENCE)
                .until(() -> stand.replay(stand.after(channels.getFirst(), new Cursor(epoch, 0, -1), 0))
                                .getFirst()
                                .end()
                                .error()
                        == null);

        // then
        Set<Replay.Tier> tiers = EnumSet.noneOf(Replay.Tier.class);
        for (int i = 0; i < 120; i++) {
            String channel = channels.get(random.nextInt(channels.size()));
            int p = partitionOf(channel);
            long after = random.nextLong(ends[p] + 1) - 1;
            long upTo = random.nextInt(4) == 0 ? after + random.nextLong(ends[p] - after) : ends[p] - 1;
            List<Long> wanted = between(truth.get(channel), after, upTo);
            boolean archived = channel.startsWith("orders:");
            String what = "seed " + seed + ": " + channel + " (" + after + ", " + upTo + "]";
            Cursor at = new Cursor(epoch, p, after);
            List<Long> got = new ArrayList<>();
            boolean complete = false;
            while (!complete) {
                Answered page = stand.replay(stand.after(channel, at, upTo)).getFirst();
                assertThat(page.end().error())
                        .as("%s: %s", what, page.endLine())
                        .isNull();
                Gap gap = page.end().gap();
                if (gap != null) {
                    assertThat(archived).as(what).isFalse();
                    assertThat(gap.cursor().offset()).as(what).isEqualTo(starts[p] - 1);
                    wanted = between(wanted, starts[p] - 1, upTo);
                }
                assertChained(page, gap == null ? at.offset() : gap.cursor().offset());
                got.addAll(page.offsets());
                tiers.add(page.end().tier());
                at = page.end().cursor();
                complete = page.end().complete();
            }
            assertThat(got).as(what).isEqualTo(wanted);
            if (archived && upTo >= 0) {
                int n = 1 + random.nextInt(60);
                List<Long> all = between(truth.get(channel), -1, upTo);
                Answered last = stand.replay(stand.last(channel, n, upTo)).getFirst();
                assertThat(last.offsets())
                        .as("seed %d: last %d of %s up to %d", seed, n, channel, upTo)
                        .isEqualTo(all.subList(Math.max(0, all.size() - n), all.size()));
                assertThat(last.end().complete()).isTrue();
            }
        }
        assertThat(tiers).as("seed %d", seed).isEqualTo(EnumSet.allOf(Replay.Tier.class));

        // when all of them are asked for in one call, and in one more where they left off, until each is complete
        Map<String, Cursor> at = new LinkedHashMap<>();
        Map<String, List<Long>> got = new HashMap<>();
        Map<String, List<Long>> wanted = new HashMap<>();
        for (String channel : channels) {
            int p = partitionOf(channel);
            long after = channel.startsWith("orders:") ? random.nextLong(starts[p]) - 1 : starts[p] - 1;
            at.put(channel, new Cursor(epoch, p, after));
            wanted.put(channel, between(truth.get(channel), after, ends[p] - 1));
        }
        double reads = stand.metric("tidegate_replay_archive_reads_total");
        double queries = stand.metric("tidegate_replay_archive_queries_total");
        while (!at.isEmpty()) {
            List<String> asked = List.copyOf(at.keySet());
            List<Answered> answers = stand.replay(asked.stream()
                    .map(c -> stand.after(c, at.get(c), ends[partitionOf(c)] - 1))
                    .toList());
            for (int i = 0; i < asked.size(); i++) {
                Answered page = answers.get(i);
                String channel = asked.get(i);
                assertThat(page.end().error())
                        .as("seed %d: %s", seed, page.endLine())
                        .isNull();
                assertThat(page.gaps()).as("seed %d: %s", seed, channel).isEmpty();
                assertChained(page, at.get(channel).offset());
                got.computeIfAbsent(channel, c -> new ArrayList<>()).addAll(page.offsets());
                if (page.end().complete()) {
                    at.remove(channel);
                } else {
                    at.put(channel, page.end().cursor());
                }
            }
        }

        // then
        assertThat(got).as("seed %d", seed).isEqualTo(wanted);
        assertThat(stand.metric("tidegate_replay_archive_reads_total") - reads).isGreaterThanOrEqualTo(12);
        assertThat(stand.metric("tidegate_replay_archive_queries_total")).isGreaterThan(queries);
    }

    private void publish(Random random, List<String> channels, int events, Map<String, List<Long>> truth, long[] ends) {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        List<String> to = new ArrayList<>();
        for (int i = 0; i < events; i++) {
            String channel =
                    channels.get((int) Math.abs(random.nextGaussian() * channels.size() / 3) % channels.size());
            List<Header> headers = new ArrayList<>();
            if (random.nextInt(3) == 0) {
                headers.add(header("ce_id", "id-é-" + random.nextInt()));
                headers.add(header("ce_type", "type"));
            }
            boolean text = random.nextInt(5) == 0;
            if (text) {
                headers.add(header("content-type", "text/plain"));
            }
            String payload =
                    text ? "text \u0007 " + i : "{\"n\":" + i + ",\"pad\":\"" + "x".repeat(random.nextInt(80)) + "\"}";
            to.add(channel);
            sent.add(stand.producer.send(new ProducerRecord<>(
                    stand.topic,
                    null,
                    channel.getBytes(StandardCharsets.US_ASCII),
                    payload.getBytes(StandardCharsets.UTF_8),
                    headers)));
        }
        stand.producer.flush();
        for (int i = 0; i < events; i++) {
            RecordMetadata m = ReplayStand.get(sent.get(i));
            truth.computeIfAbsent(to.get(i), c -> new ArrayList<>()).add(m.offset());
            ends[m.partition()] = Math.max(ends[m.partition()], m.offset() + 1);
        }
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }

    private static List<Long> between(List<Long> offsets, long after, long upTo) {
        return offsets == null
                ? List.of()
                : offsets.stream().filter(o -> o > after && o <= upTo).toList();
    }

    @Test
    void whatExpiredBeforeItWasArchivedIsAGapAndSaid() {
        // given: archived up to 9
        String channel = channelIn(0, "orders:a");
        String sparse = channelIn(0, "orders:b");
        List<Cursor> all = new ArrayList<>(stand.publishMany(channel, 10));
        archiving();
        awaitArchived(0, 10);
        stand.stop();

        // when ten expire while nobody archives
        all.addAll(stand.publishMany(channel, 20));
        stand.publishMany(sparse, 1);
        stand.deleteRecordsBefore(0, 20);
        archiving("tidegate.replay.recent.fill", "false");
        awaitArchived(0, 31);

        // then
        Answered answer = stand.replay(stand.after(channel, all.get(3), 30)).getFirst();
        await().atMost(ReplayStand.PATIENCE)
                .untilAsserted(() -> assertThat(stand.metric("tidegate_replay_archive_expired_total"))
                        .isEqualTo(10));
        assertThat(answer.end().gap()).as("before the hole all is there").isNull();
        assertThat(answer.offsets()).containsExactly(4L, 5L, 6L, 7L, 8L, 9L);
        assertThat(answer.end().complete()).isFalse();
        Answered rest =
                stand.replay(stand.after(channel, answer.end().cursor(), 30)).getFirst();
        assertThat(rest.end().gap()).isEqualTo(new Gap(all.get(9), all.get(19), Gap.Reason.EXPIRED));
        assertThat(rest.offsets()).containsExactly(20L, 21L, 22L, 23L, 24L, 25L, 26L, 27L, 28L, 29L);
        assertThat(rest.end().complete()).isTrue();
    }

    @Test
    void aNamespaceCountsAsArchivedFromWhereItWasDeclared() {
        // given: demo is not archived, then it is
        String channel = channelIn(0, "demo:a");
        List<Cursor> all = new ArrayList<>(stand.publishMany(channel, 10));
        archiving();
        awaitArchived(0, 10);
        stand.stop();
        all.addAll(stand.publishMany(channel, 10));
        archiving("tidegate.namespaces.demo.archive", "true", "tidegate.replay.recent.fill", "false");
        awaitArchived(0, 20);

        // when Kafka forgets all
        stand.deleteRecordsBefore(0, 20);

        // then
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            Answered answer = stand.replay(stand.after(channel, all.get(3), 19)).getFirst();
            assertThat(answer.end().gap()).isEqualTo(new Gap(all.get(3), all.get(9), Gap.Reason.EXPIRED));
            assertThat(answer.offsets()).hasSize(10);
            assertThat(answer.end().tier()).isEqualTo(Replay.Tier.ARCHIVE);
        });
    }

    @Test
    void aRecreatedTopicIsArchivedBesideTheOldOne() {
        // given
        String channel = channelIn(1, "orders:a");
        String old = stand.epoch();
        stand.publishMany(channel, 200);
        archiving();
        awaitArchived(1, 200);

        // when
        stand.deleteTopic();
        stand.createTopic();
        List<Cursor> fresh = stand.publishMany(channel, 300);

        // then
        awaitArchived(1, 300);
        assertThat(ArchivedRecord.inArchive(POSTGRES, stand.epoch()))
                .isEqualTo(ArchivedRecord.inTopic(Backends.shared().kafka(), stand.topic, PARTITIONS, "orders"))
                .hasSize(300);
        assertThat(ArchivedRecord.inArchive(POSTGRES, old)).hasSize(200);
        stand.deleteRecordsBefore(1, 300);
        await().atMost(ReplayStand.PATIENCE)
                .untilAsserted(() -> assertThat(stand.replay(stand.after(channel, fresh.get(99), 299))
                                .getFirst()
                                .offsets())
                        .hasSize(200));
    }

    @Test
    void severalInstancesShareTheWorkAndWriteEverythingOnce() {
        // given
        Map<String, String> channels = new HashMap<>();
        for (int p = 0; p < PARTITIONS; p++) {
            channels.put("p" + p, channelIn(p, "orders:a"));
        }
        archiving();
        try (ReplayStand second = new ReplayStand(stand)) {
            // when one joins while there is much to do, and leaves again
            channels.values().forEach(c -> stand.publishMany(c, 2_000));
            second.startReady(
                    "tidegate.postgres.url", POSTGRES,
                    "tidegate.namespaces.orders.archive", "true",
                    "tidegate.replay.archive.linger", "10ms",
                    "tidegate.replay.archive.batch-events", "100");
            await().atMost(ReplayStand.PATIENCE).until(() -> second.metric("tidegate_replay_archive_partitions") > 0);
            channels.values().forEach(c -> stand.publishMany(c, 2_000));
            for (int p = 0; p < PARTITIONS; p++) {
                awaitArchived(p, 4_000);
            }
            await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
                assertThat(stand.metric("tidegate_replay_archive_partitions")
                                + second.metric("tidegate_replay_archive_partitions"))
                        .isEqualTo(PARTITIONS);
                assertThat(stand.metric("tidegate_replay_archive_lag") + second.metric("tidegate_replay_archive_lag"))
                        .isZero();
                assertThat(stand.metric("tidegate_replay_archive_lag_seconds")).isZero();
            });
        }
        // From here on the first one's HTTP server is not asked: closing a context closes Reactor Netty's shared event
        // loops.
        channels.values().forEach(c -> stand.publishMany(c, 500));

        // then
        for (int p = 0; p < PARTITIONS; p++) {
            awaitArchived(p, 4_500);
        }
        assertThat(ArchivedRecord.inArchive(POSTGRES, stand.epoch()))
                .isEqualTo(ArchivedRecord.inTopic(Backends.shared().kafka(), stand.topic, PARTITIONS, "orders"));
    }

    @Test
    void peopleReadWhatOnlyTheArchiveHas() throws Exception {
        // given: old events with times of their own, gone from Kafka
        String channel = channelIn(0, "orders:a");
        long hour = 3_600_000L;
        long now = System.currentTimeMillis() / 1000 * 1000;
        for (int i = 0; i < 40; i++) {
            ReplayStand.get(stand.producer.send(new ProducerRecord<>(
                    stand.topic,
                    0,
                    now - (40 - i) * hour,
                    channel.getBytes(StandardCharsets.US_ASCII),
                    ("{\"n\":" + i + "}").getBytes(StandardCharsets.UTF_8))));
        }
        archiving("tidegate.replay.recent.fill", "false");
        awaitArchived(0, 40);
        stand.deleteRecordsBefore(0, 35);
        String epoch = stand.epoch();

        // when, then: after, paging
        await().atMost(ReplayStand.PATIENCE).untilAsserted(() -> {
            List<Integer> got = new ArrayList<>();
            String cursor = new Cursor(epoch, 0, 4).toString();
            boolean complete = false;
            while (!complete) {
                var page = stand.history(channel, "?limit=7&after=" + cursor);
                assertThat(page.has("gap")).isFalse();
                page.get("events").forEach(e -> got.add(e.get("data").get("n").asInt()));
                cursor = page.get("cursor").asString();
                complete = page.get("complete").asBoolean();
            }
            assertThat(got).hasSize(35).startsWith(5).endsWith(39).isSorted();
        });

        // when, then: last
        var last = stand.history(channel, "?last=12");
        assertThat(last.get("events")).hasSize(12);
        assertThat(last.get("events").get(0).get("data").get("n").asInt()).isEqualTo(28);
        assertThat(last.get("complete").asBoolean()).isTrue();
        assertThat(last.has("searchedFrom")).isFalse();

        // when, then: from, before and after where Kafka begins
        for (int n : new int[] {0, 10, 33, 37}) {
            var from = stand.history(channel, "?limit=1000&from=" + (now - (40 - n) * hour));
            assertThat(from.get("events")).as("from %d", n).hasSize(40 - n);
            assertThat(from.get("events").get(0).get("data").get("n").asInt()).isEqualTo(n);
        }
        var iso = stand.history(channel, "?limit=3&from=" + java.time.Instant.ofEpochMilli(now - 20 * hour - 1));
        assertThat(iso.get("events")).hasSize(3);
        assertThat(iso.get("events").get(0).get("data").get("n").asInt()).isEqualTo(20);
        assertThat(iso.get("complete").asBoolean()).isFalse();
        assertThat(stand.history(channel, "?from=" + (now + hour)).get("events"))
                .isEmpty();
        var stream = stand.get(ReplayStand.path(channel) + "?from=0", "Accept", "application/x-ndjson");
        assertThat(stream.body().lines()).hasSize(40);
    }
}

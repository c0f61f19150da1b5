package dev.tidegate.replay.cursors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.replay.config.CursorSettings;
import dev.tidegate.replay.config.PostgresSettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.testsupport.Backends;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import reactor.core.publisher.Mono;

/** The rules of durable cursors, on a real PostgreSQL. */
@Timeout(360)
class CursorStoreTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final int PER_SUBJECT = 5;

    private final String subject = Backends.unique("subject");
    private final Postgres postgres = new Postgres(new PostgresSettings(
            Backends.shared().postgres(),
            4,
            256,
            Duration.ofSeconds(5),
            Duration.ofSeconds(30),
            Duration.ofMillis(200)));
    private final CursorStore store = new CursorStore(
            postgres, new CursorSettings(PER_SUBJECT, Duration.ofDays(1), Duration.ofSeconds(30)), new ReplayMetrics());

    @BeforeEach
    void prepare() {
        postgres.start();
        await().atMost(PATIENCE).until(postgres::prepared);
    }

    @AfterEach
    void close() {
        store.close();
        postgres.close();
    }

    @Test
    void aCursorMovesForwardWithinItsEpochAndIsReplacedByAnother() {
        // given
        assertThat(find("c")).containsExactly((Cursor) null);

        // when, then
        store("k3ZqW1xA.7.10");
        assertThat(find("c")).containsExactly(Cursor.parse("k3ZqW1xA.7.10"));
        store("k3ZqW1xA.7.9");
        assertThat(find("c")).containsExactly(Cursor.parse("k3ZqW1xA.7.10"));
        store("k3ZqW1xA.7.11");
        assertThat(find("c")).containsExactly(Cursor.parse("k3ZqW1xA.7.11"));
        store("Zu8-0_pq.7.3");
        assertThat(find("c")).containsExactly(Cursor.parse("Zu8-0_pq.7.3"));
        store("Zu8-0_pq.2.1"); // the topic got more partitions, and the channel moved
        assertThat(find("c", "other", "c"))
                .containsExactly(Cursor.parse("Zu8-0_pq.2.1"), null, Cursor.parse("Zu8-0_pq.2.1"));
    }

    @Test
    void ofTwoInOneBatchTheLaterPositionCounts() {
        // when
        store("k3ZqW1xA.7.10", "k3ZqW1xA.7.12", "k3ZqW1xA.7.11");

        // then
        assertThat(find("c")).containsExactly(Cursor.parse("k3ZqW1xA.7.12"));
    }

    @Test
    void aSubjectWithItsMostKeepsThoseItHas() {
        // given
        for (int i = 0; i < PER_SUBJECT; i++) {
            assertThat(store(List.of(ack("c" + i, "k3ZqW1xA.7.1")))).isEmpty();
        }

        // when
        List<Integer> refused = store(List.of(ack("c0", "k3ZqW1xA.7.2"), ack("new", "k3ZqW1xA.7.2")));

        // then
        assertThat(refused).containsExactly(1);
        assertThat(find("c0", "new")).containsExactly(Cursor.parse("k3ZqW1xA.7.2"), null);
    }

    @Test
    void batchesOfManyGatewaysNeitherBlockEachOtherForEverNorLoseTheNewest() {
        // given: the same cursors in another order each time
        Random random = new Random(20261124);
        List<CompletableFuture<List<Integer>>> calls = new ArrayList<>();
        for (int offset = 0; offset < 60; offset++) {
            List<Ack> batch = new ArrayList<>();
            for (int c = 0; c < PER_SUBJECT; c++) {
                batch.add(ack("c" + c, "k3ZqW1xA.7." + offset));
            }
            Collections.shuffle(batch, random);
            calls.add(store.store(batch).toFuture());
        }

        // when
        CompletableFuture.allOf(calls.toArray(CompletableFuture<?>[]::new)).join();

        // then
        assertThat(find(IntStream.range(0, PER_SUBJECT).mapToObj(c -> "c" + c).toArray(String[]::new)))
                .containsOnly(Cursor.parse("k3ZqW1xA.7.59"));
    }

    @Test
    void whatWasNotAcknowledgedForTooLongIsForgotten() {
        // given
        store(List.of(ack("old", "k3ZqW1xA.7.1"), ack("young", "k3ZqW1xA.7.1")));
        postgres.run(
                        PATIENCE,
                        c -> Mono.from(c.createStatement("UPDATE replay.durable_cursor SET acknowledged ="
                                                + " now() - interval '25 hours' WHERE subject = $1 AND channel = 'old'")
                                        .bind("$1", subject)
                                        .execute())
                                .flatMap(r -> Mono.from(r.getRowsUpdated())))
                .block(PATIENCE);

        // when
        long forgotten = store.forget().block(PATIENCE);

        // then
        assertThat(forgotten).isEqualTo(1);
        assertThat(find("old", "young")).containsExactly(null, Cursor.parse("k3ZqW1xA.7.1"));
    }

    @Test
    void operatorsListPageByPageAndDelete() {
        // given
        store(List.of(ack("a", "k3ZqW1xA.7.1"), ack("b", "k3ZqW1xA.7.2"), ack("c", "k3ZqW1xA.7.3")));
        CursorFilter mine = new CursorFilter(subject, null, null);

        // when
        List<StoredCursor> first = store.list(mine, null, 2).block(PATIENCE);
        List<StoredCursor> second = store.list(mine, first.getLast(), 2).block(PATIENCE);

        // then
        assertThat(first).extracting(StoredCursor::channel).containsExactly("a", "b");
        assertThat(second).extracting(StoredCursor::channel).containsExactly("c");
        assertThat(store.delete(new CursorFilter(subject, "phone", "b")).block(PATIENCE))
                .isEqualTo(1);
        assertThat(store.delete(new CursorFilter(subject, "tablet", null)).block(PATIENCE))
                .isZero();
        assertThat(store.delete(mine).block(PATIENCE)).isEqualTo(2);
    }

    private Ack ack(String channel, String cursor) {
        return new Ack(new CursorKey(subject, "phone", new ChannelName(channel)), Cursor.parse(cursor));
    }

    private void store(String... cursors) {
        assertThat(store(Arrays.stream(cursors).map(c -> ack("c", c)).toList())).isEmpty();
    }

    private List<Integer> store(List<Ack> batch) {
        return store.store(batch).block(PATIENCE);
    }

    private List<Cursor> find(String... channels) {
        return store.find(Arrays.stream(channels)
                        .map(c -> new CursorKey(subject, "phone", new ChannelName(c)))
                        .toList())
                .block(PATIENCE);
    }
}

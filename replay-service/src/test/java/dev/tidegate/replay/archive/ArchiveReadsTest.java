package dev.tidegate.replay.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Epoch;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.config.PostgresSettings;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.reads.ReadTicket.State;
import dev.tidegate.replay.reads.Room;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.testsupport.Backends;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.util.unit.DataSize;
import reactor.core.publisher.Mono;

/**
 * Pages for many requests by few queries. There is one connection, which a test keeps until its requests stand in the queue. The dates
 * lie far ahead, where no other test of this database is and nothing forgets them.
 */
@Timeout(120)
class ArchiveReadsTest {
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final LocalDate FIRST = LocalDate.of(2091, 2, 27);
    private static final int DAYS = 3;
    private static final int DAY = 5_000; // offsets
    private static final long END = (long) DAYS * DAY;

    private final long seed = System.nanoTime();
    private final Random random = new Random(seed);
    private final String epoch = Epoch.of(random.nextLong(), random.nextLong());
    private final ReplayMetrics metrics = new ReplayMetrics();
    private final Postgres postgres = new Postgres(new PostgresSettings(
            Backends.shared().postgres(), 1, 16, Duration.ofSeconds(30), PATIENCE, Duration.ofMillis(200)));
    private final Map<String, List<Long>> truth = new HashMap<>();
    private @Nullable ArchiveReads reads;

    @BeforeEach
    void prepare() throws SQLException {
        postgres.start();
        await().atMost(PATIENCE).until(postgres::prepared);
        for (int d = 0; d < DAYS; d++) {
            sql("SELECT replay.archive_add_day(?)", FIRST.plusDays(d));
            sql(
                    "INSERT INTO replay.archive_segment VALUES (?, 0, ?, ?, ?, '{orders}')",
                    epoch,
                    (long) d * DAY,
                    (long) (d + 1) * DAY,
                    FIRST.plusDays(d));
        }
    }

    @AfterEach
    void close() throws SQLException {
        if (reads != null) {
            reads.close();
        }
        postgres.close();
        sql("DELETE FROM replay.archive_segment WHERE epoch = ?", epoch);
        sql("DELETE FROM replay.archive_event WHERE epoch = ?", epoch);
    }

    @AfterAll
    static void dropDays() throws SQLException {
        for (int d = 0; d < DAYS; d++) {
            sql("DROP TABLE IF EXISTS replay.archive_event_"
                    + FIRST.plusDays(d).format(DateTimeFormatter.BASIC_ISO_DATE));
        }
    }

    private static void sql(String statement, Object... values) throws SQLException {
        String at = Backends.shared().postgres();
        try (Connection c = DriverManager.getConnection(
                        "jdbc:postgresql://" + at.substring(at.indexOf('@') + 1), "postgres", "");
                PreparedStatement s = c.prepareStatement(statement)) {
            for (int i = 0; i < values.length; i++) {
                s.setObject(i + 1, values[i]);
            }
            boolean _ = s.execute();
        }
    }

    /** Archives an event of so many bytes at each of these offsets. */
    private void store(String channel, long first, long step, int events, int bytes) throws SQLException {
        long last = first + step * (events - 1);
        truth.put(
                channel,
                LongStream.rangeClosed(0, events - 1)
                        .mapToObj(i -> first + i * step)
                        .toList());
        sql("""
                INSERT INTO replay.archive_event
                SELECT ?, 0, o, ?::date + (o / ?)::int, ?, 'id-' || o, NULL, NULL, o, o,
                       convert_to('"' || lpad(o::text, ?, 'x') || '"', 'UTF8')
                FROM generate_series(?, ?, ?) o""", epoch, FIRST, (long) DAY, channel, bytes - 2, first, last, step);
    }

    private ReplaySettings.Archive settings(int gather, DataSize buffers) {
        return new ReplaySettings.Archive(
                Duration.ofDays(3),
                1000,
                DataSize.ofMegabytes(1),
                Duration.ZERO,
                1,
                gather,
                1_000,
                Duration.ofSeconds(20),
                buffers);
    }

    private ArchiveReads reads(int gather, DataSize buffers) {
        ArchiveReads r = new ArchiveReads(postgres, settings(gather, buffers), metrics);
        reads = r;
        return r;
    }

    private ReadTicket.Wanted wanted(String channel, long after, long upTo, int maxEvents) {
        return wanted(epoch, channel, after, upTo, maxEvents);
    }

    private static ReadTicket.Wanted wanted(String epoch, String channel, long after, long upTo, int maxEvents) {
        return new ReadTicket.Wanted(
                epoch, ChannelKey.of(new ChannelName(channel)), 0, after, after, upTo, false, maxEvents, 64 << 20);
    }

    /** Keeps the only connection until what is returned completes. */
    private CompletableFuture<Void> holdConnection() throws Exception {
        CompletableFuture<Void> held = new CompletableFuture<>();
        CompletableFuture<Void> release = new CompletableFuture<>();
        var _ = postgres.run(PATIENCE, c -> {
                    boolean _ = held.complete(null);
                    return Mono.fromFuture(release);
                })
                .subscribe();
        var _ = held.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
        return release;
    }

    /** All of these in the queue behind one that is being read: then the connection comes free. */
    private List<ReadTicket> queuedUp(ArchiveReads r, List<ReadTicket.Wanted> wanted) throws Exception {
        CompletableFuture<Void> release = holdConnection();
        ReadTicket before = r.submit(wanted("orders:before", -1, END - 1, 10));
        List<ReadTicket> tickets = wanted.stream().map(r::submit).toList();
        assertThat(r.waiting()).isEqualTo(wanted.size());
        assertThat(r.active()).isEqualTo(1);
        boolean _ = release.complete(null);
        awaitOver(before);
        return tickets;
    }

    private static void awaitOver(ReadTicket... tickets) {
        awaitOver(List.of(tickets));
    }

    private static void awaitOver(List<ReadTicket> tickets) {
        await().atMost(PATIENCE).until(() -> tickets.stream().noneMatch(t -> t.state() == State.RUNNING));
    }

    /** That a page holds what it should, whole and in order, and says rightly whether that was all. */
    private void assertPage(ReadTicket ticket) {
        ReadTicket.Wanted w = ticket.wanted();
        String channel = new String(w.channel().bytes(), StandardCharsets.US_ASCII);
        String what = "seed " + seed + ": " + channel + " (" + w.after() + ", " + w.upTo() + "] " + w.maxEvents();
        List<Long> all = w.epoch().equals(epoch)
                ? truth.getOrDefault(channel, List.of()).stream()
                        .filter(o -> o > w.after() && o <= w.upTo())
                        .toList()
                : List.of();
        List<Long> page = all.subList(0, Math.min(all.size(), w.maxEvents()));
        assertThat(ticket.state())
                .as("%s: %s", what, ticket.why())
                .isEqualTo(all.equals(page) ? State.REACHED : State.CUT);
        assertThat(ticket.position()).as(what).isEqualTo(all.equals(page) ? w.upTo() : page.getLast());
        assertThat(events(ticket)).as(what).isEqualTo(page);
    }

    /** Offsets of what was found; takes it. */
    private static List<Long> events(ReadTicket ticket) {
        FrameBuffer out = new FrameBuffer(1024);
        int n = ticket.take(out);
        List<Long> offsets = new ArrayList<>();
        long prev = ticket.wanted().previous();
        for (String line : out.toText().lines().toList()) {
            Replay.Line.Event e = (Replay.Line.Event) Replay.decodeLine(line.getBytes(StandardCharsets.UTF_8));
            assertThat(e.prev()).isEqualTo(prev);
            prev = e.cursor().offset();
            offsets.add(prev);
            assertThat(line).contains("\"id\":\"id-" + prev + "\"").contains("x" + prev + "\"");
        }
        assertThat(offsets).hasSize(n);
        return offsets;
    }

    @Test
    void whoWaitsWhileAllConnectionsAreBusySharesAQuery() throws Exception {
        // given: channels whose events lie on all days, some empty
        for (int i = 0; i < 20; i++) {
            store("orders:" + i, 20L * random.nextInt(10) + i, 20 * (5 + random.nextLong(14)), 40, 40);
        }
        ArchiveReads r = reads(128, DataSize.ofMegabytes(64));
        List<ReadTicket.Wanted> wanted = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            long after = random.nextLong(END) - 1;
            long upTo = random.nextInt(3) == 0 ? END - 1 : after + 1 + random.nextLong(END - 1 - after);
            wanted.add(wanted("orders:" + random.nextInt(24), after, upTo, 1 + random.nextInt(50)));
        }
        wanted.add(wanted(Epoch.of(1, 2), "orders:0", -1, END - 1, 10));
        wanted.add(wanted("orders:0", -1, END - 1, 1_000));

        // when
        List<ReadTicket> tickets = queuedUp(r, wanted);

        // then
        awaitOver(tickets);
        tickets.forEach(this::assertPage);
        assertThat(metrics.archiveReads.sum()).isEqualTo(1 + wanted.size());
        // Two; a query is cut after a second, which a machine may take that has much else to do.
        assertThat(metrics.archiveQueries.sum()).isBetween(2L, 10L);
        assertThat(r.bufferedBytes()).isZero();
    }

    @Test
    void withoutGatheringEachHasAQueryOfItsOwn() throws Exception {
        // given
        store("orders:a", 3, 400, 30, 40);
        ArchiveReads r = reads(1, DataSize.ofMegabytes(64));

        // when
        List<ReadTicket> tickets = queuedUp(
                r,
                Stream.of(-1L, 2L, 3L, 9_000L)
                        .map(o -> wanted("orders:a", o, END - 1, 20))
                        .toList());

        // then
        awaitOver(tickets);
        tickets.forEach(this::assertPage);
        assertThat(metrics.archiveQueries.sum()).isEqualTo(1 + tickets.size());
    }

    @Test
    void whoWantsAllOfAHugeChannelTakesItsTurnWithTheOthers() throws Exception {
        // given
        store("orders:huge", 0, 2, 6_000, 20);
        store("orders:small", 7, 1_000, 15, 40);
        ArchiveReads r = reads(100, DataSize.ofMegabytes(64));
        List<ReadTicket.Wanted> wanted = new ArrayList<>();
        wanted.add(wanted("orders:huge", 100, END - 1, 3_000));
        wanted.add(wanted("orders:huge", 11_800, END - 1, 3_000));
        for (int i = 2; i < 100; i++) {
            wanted.add(wanted("orders:small", random.nextLong(END) - 1, END - 1, 10));
        }

        // when
        List<ReadTicket> tickets = queuedUp(r, wanted);

        // then: pages that need several queries are as whole as the others
        awaitOver(tickets);
        tickets.forEach(this::assertPage);
        assertThat(metrics.archiveQueries.sum())
                .as("a share of a query, then the rest")
                .isBetween(3L, 20L);
        assertThat(metrics.archiveReads.sum()).isEqualTo(1 + wanted.size());
    }

    @Test
    void aQueryOfManyBytesIsCutAndThoseBehindAreTheNext() throws Exception {
        // given: more than a query may move
        int bytes = 65_000;
        int events = Math.toIntExact(PagesQuery.BYTES / bytes) + 10;
        store("orders:heavy", 10, 100, events, bytes);
        store("orders:small", 7, 1_000, 15, 40);
        ArchiveReads r = reads(128, DataSize.ofMegabytes(64));

        // when
        List<ReadTicket> tickets = queuedUp(
                r,
                List.of(
                        wanted("orders:heavy", -1, END - 1, 1_000),
                        wanted("orders:small", 7, END - 1, 10),
                        wanted("orders:small", 9_000, END - 1, 10)));

        // then
        awaitOver(tickets);
        tickets.forEach(this::assertPage);
        assertThat(metrics.archiveQueries.sum()).isGreaterThanOrEqualTo(3);
        assertThat(metrics.archiveReads.sum()).isEqualTo(4);
    }

    @Test
    void whoeverIsGoneDropsOutAndTheOthersHaveTheirs() throws Exception {
        // given
        store("orders:a", 3, 400, 30, 40);
        ArchiveReads r = reads(128, DataSize.ofMegabytes(64));
        CompletableFuture<Void> release = holdConnection();
        ReadTicket being = r.submit(wanted("orders:a", -1, END - 1, 10));
        ReadTicket first = r.submit(wanted("orders:a", 1_000, END - 1, 10));
        ReadTicket gone = r.submit(wanted("orders:a", 2_000, END - 1, 10));
        ReadTicket last = r.submit(wanted("orders:a", 3_000, END - 1, 10));

        // when one goes while it waits
        gone.cancel();
        boolean _ = release.complete(null);

        // then
        awaitOver(being, first, last);
        assertPage(being);
        assertPage(first);
        assertPage(last);
        assertThat(gone.found()).isZero();
        assertThat(metrics.archiveReads.sum()).isEqualTo(3);

        // when some are gone once the query is under way, in the middle and at its end
        Room room = new Room(1 << 20);
        List<ReadTicket> tickets = Stream.of(-1L, 500L, 1_000L, 1_500L)
                .map(o -> new ReadTicket(wanted("orders:a", o, END - 1, 5), room))
                .toList();
        PagesQuery query = new PagesQuery(tickets, metrics);
        tickets.get(1).cancel();
        tickets.get(3).cancel();
        var _ = postgres.run(PATIENCE, query::run).block(PATIENCE);

        // then
        assertPage(tickets.get(0));
        assertPage(tickets.get(2));
        assertThat(tickets.get(1).found() + tickets.get(3).found()).isZero();
        assertThat(query.again()).isEmpty();
        assertThat(query.left()).isEmpty();
        assertThat(room.used()).isZero();
    }

    @Test
    void aQueryThatFailsTakesOnlyThoseWithItThatWereInIt() throws Exception {
        // given: something that PostgreSQL does not take
        store("orders:a", 3, 400, 30, 40);
        ArchiveReads r = reads(2, DataSize.ofMegabytes(64));
        ReadTicket.Wanted good = wanted("orders:a", 1_000, END - 1, 10);

        // when
        List<ReadTicket> tickets =
                queuedUp(r, List.of(good, wanted("no\0text", "orders:a", -1, END - 1, 10), good, good));

        // then
        awaitOver(tickets);
        for (ReadTicket t : tickets.subList(0, 2)) {
            assertThat(t.state()).isEqualTo(State.UNAVAILABLE);
            assertThat(t.why()).startsWith("the archive cannot be read now");
            assertThat(t.found()).isZero();
        }
        assertPage(tickets.get(2));
        assertPage(tickets.get(3));
        await().atMost(PATIENCE).until(() -> r.active() == 0);
    }

    @Test
    void whatIsReadAndNotSentIsBoundedForAll() throws Exception {
        // given: room for three events and a bit
        store("orders:heavy", 10, 100, 100, 20_000);
        ArchiveReads r = reads(128, DataSize.ofKilobytes(64));
        ReadTicket.Wanted wanted = wanted("orders:heavy", 1_000, END - 1, 50);

        // when
        List<ReadTicket> tickets = queuedUp(r, Collections.nCopies(8, wanted));

        // then: pages end early, each after one event at least
        awaitOver(tickets);
        assertThat(tickets).allSatisfy(t -> {
            assertThat(t.state()).isEqualTo(State.CUT);
            assertThat(t.found()).isPositive();
            assertThat(t.position()).isEqualTo(t.previous());
        });
        assertThat(tickets.stream().mapToInt(ReadTicket::found).sum()).isLessThanOrEqualTo(4 + 7);

        // when nothing is sent, then nothing more is read
        await().atMost(PATIENCE).until(() -> r.active() == 0);
        ReadTicket next = r.submit(wanted);
        assertThat(r.waiting()).isEqualTo(1);
        assertThat(r.active()).isZero();

        // when it is sent
        tickets.forEach(t -> assertThat(events(t)).isNotEmpty());

        // then
        awaitOver(next);
        assertThat(next.found()).isPositive();
    }
}

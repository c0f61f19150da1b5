package dev.tidegate.replay.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.config.PostgresSettings;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.ArchiveFeed;
import dev.tidegate.replay.kafka.FanoutTopic;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.testsupport.Backends;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.springframework.util.unit.DataSize;

/** Days come and go, with a clock of our own. The dates lie far from today's, where no other test of this database is. */
@Timeout(360)
class ArchiveDaysTest {
    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static final LocalDate FIRST = LocalDate.of(2001, 2, 27);

    private final Postgres postgres = new Postgres(new PostgresSettings(
            Backends.shared().postgres(),
            4,
            16,
            Duration.ofSeconds(5),
            Duration.ofSeconds(10),
            Duration.ofMillis(200)));
    private final SetClock clock = new SetClock();
    private final Uuid id = Uuid.randomUuid();
    private final FanoutTopic topic = new FanoutTopic(
            "fanout", id, 2, dev.tidegate.protocol.Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits()));
    private final ReplayMetrics metrics = new ReplayMetrics();
    private final Archiver archiver = archiver();

    /** One more that archives the same into the same database. */
    private Archiver archiver() {
        return new Archiver(
                postgres,
                Set.of("orders"),
                new ReplaySettings.Archive(
                        Duration.ofDays(3),
                        1000,
                        DataSize.ofMegabytes(1),
                        Duration.ZERO,
                        1,
                        1,
                        10,
                        Duration.ofSeconds(5),
                        DataSize.ofMegabytes(1)),
                clock,
                metrics);
    }

    private static final class SetClock extends Clock {
        private volatile Instant now = Instant.EPOCH;

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }

        @Override
        public Instant instant() {
            return now;
        }
    }

    @BeforeEach
    void prepare() {
        postgres.start();
        await().atMost(PATIENCE).until(postgres::prepared);
    }

    @AfterEach
    void close() {
        postgres.close();
    }

    private static long at(LocalDate day, int hour) {
        return day.atTime(hour, 0).toInstant(ZoneOffset.UTC).toEpochMilli();
    }

    private void write(long offset, long stamp, boolean event) {
        FanoutRecord record = new FanoutRecord();
        record.wrap("orders:a".getBytes(StandardCharsets.US_ASCII), new byte[] {'1'}, stamp);
        archiver.record(0, offset, stamp, event ? record : null);
        archiver.passed(0, offset + 1);
        assertThat(archiver.write()).isEmpty();
        assertThat(archiver.holding()).as("written").isFalse();
    }

    private long place() {
        return archiver.place(topic, Set.of(0), new Everything()).get(0);
    }

    private Coverage coverage() {
        return new ArchiveStore(postgres).coverage(topic.epoch()).block(PATIENCE);
    }

    private List<LocalDate> days(ArchiveDays days) {
        return days.list().block(PATIENCE).stream()
                .filter(d -> d.getYear() == FIRST.getYear())
                .toList();
    }

    @Test
    void daysAreMadeAheadAndGoAfterTheirTimeInTwoSteps() {
        // given: events of four days
        ArchiveDays days = new ArchiveDays(postgres, Duration.ofDays(3), Duration.ZERO);
        ArchiveDays slow = new ArchiveDays(postgres, Duration.ofDays(3), Duration.ofHours(1));
        clock.now = Instant.ofEpochMilli(at(FIRST, 12));
        days.sweep(FIRST).block(PATIENCE);
        assertThat(days(days)).containsExactly(FIRST, FIRST.plusDays(1), FIRST.plusDays(2));
        assertThat(place()).isZero();
        for (int i = 0; i < 4; i++) {
            clock.now = Instant.ofEpochMilli(at(FIRST.plusDays(i), 12));
            write(2L * i, at(FIRST.plusDays(i), 10), true);
            write(2L * i + 1, at(FIRST.plusDays(i), 11), true);
        }
        assertThat(coverage().coveredTo(0, "orders", 0)).isEqualTo(8);

        // when the first day is over, but readers may still go by what was covered
        slow.sweep(FIRST.plusDays(4)).block(PATIENCE);

        // then
        assertThat(coverage().coveredTo(0, "orders", 0)).isZero();
        assertThat(coverage().coveredTo(0, "orders", 2)).isEqualTo(8);
        assertThat(days(days)).contains(FIRST, FIRST.plusDays(6));

        // when nobody can read by that any more
        days.sweep(FIRST.plusDays(4)).block(PATIENCE);
        days.sweep(FIRST.plusDays(4)).block(PATIENCE);

        // then
        assertThat(days(days)).doesNotContain(FIRST).contains(FIRST.plusDays(1));
        assertThat(coverage().coveredTo(0, "orders", 2)).isEqualTo(8);

        // and it goes on where it was, a day that nobody has made included
        clock.now = Instant.ofEpochMilli(at(FIRST.plusDays(8), 1));
        write(8, at(FIRST.plusDays(8), 1), true);
        assertThat(coverage().coveredTo(0, "orders", 2)).isEqualTo(9);

        // when all is over
        days.sweep(FIRST.plusDays(100)).block(PATIENCE);
        days.sweep(FIRST.plusDays(100)).block(PATIENCE);

        // then nothing is covered, but it is known where to go on
        assertThat(coverage().coveredTo(0, "orders", 8)).isEqualTo(8);
        assertThat(days(days)).containsExactly(FIRST.plusDays(100), FIRST.plusDays(101), FIRST.plusDays(102));
        archiver.reset();
        clock.now = Instant.ofEpochMilli(at(FIRST.plusDays(100), 1));
        assertThat(place()).isEqualTo(9);
        days.sweep(FIRST.plusYears(1)).block(PATIENCE);
        days.sweep(FIRST.plusYears(1)).block(PATIENCE);
    }

    @Test
    void aProducersWrongClockCostsNobodyElsesHistory() {
        // given
        ArchiveDays days = new ArchiveDays(postgres, Duration.ofDays(3), Duration.ZERO);
        LocalDate today = LocalDate.of(2003, 6, 1);
        clock.now = Instant.ofEpochMilli(at(today, 12));
        days.sweep(today).block(PATIENCE);
        place();

        // when records come that are years old, and years ahead
        write(0, at(today, 10), true);
        write(1, at(today.minusYears(1), 10), true);
        write(2, at(today.plusYears(1), 10), true);
        write(3, at(today, 11), false);

        // then they are kept as long as their neighbours
        days.sweep(today.plusDays(3)).block(PATIENCE);
        days.sweep(today.plusDays(3)).block(PATIENCE);
        assertThat(coverage().coveredTo(0, "orders", 0)).isEqualTo(4);
        days.sweep(today.plusDays(4)).block(PATIENCE);
        assertThat(coverage().coveredTo(0, "orders", 0)).isZero();
        assertThat(coverage().coveredTo(0, "orders", 2)).isEqualTo(4);
        days.sweep(today.plusDays(100)).block(PATIENCE);
        days.sweep(today.plusDays(100)).block(PATIENCE);
    }

    @Test
    void whoeverHasMovedAPartitionWinsAndNothingIsWrittenTwice() {
        // given: two archivers that both believe a partition is theirs
        LocalDate today = LocalDate.of(2005, 6, 1);
        clock.now = Instant.ofEpochMilli(at(today, 12));
        Archiver other = archiver();
        place();
        FanoutRecord record = new FanoutRecord();
        record.wrap("orders:a".getBytes(StandardCharsets.US_ASCII), new byte[] {'1'}, at(today, 10));
        other.place(topic, Set.of(0), new Everything());
        other.record(0, 0, at(today, 10), record);
        other.passed(0, 1);

        // when
        write(0, at(today, 10), true);
        Set<Integer> lost = other.write();

        // then
        assertThat(lost).containsExactly(0);
        assertThat(coverage().coveredTo(0, "orders", 0)).isEqualTo(1);
        assertThat(other.place(topic, Set.of(0), new Everything())).containsEntry(0, 1L);
        new ArchiveDays(postgres, Duration.ofDays(3), Duration.ZERO)
                .sweep(today.plusDays(100))
                .block(PATIENCE);
    }

    private static final class Everything implements ArchiveFeed.Log {
        @Override
        public long start(int partition) {
            return 0;
        }

        @Override
        public long end(int partition) {
            return 1_000;
        }

        @Override
        public long at(int partition, long timestampMillis) {
            return 0;
        }
    }
}

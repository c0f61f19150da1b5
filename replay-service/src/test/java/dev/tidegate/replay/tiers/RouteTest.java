package dev.tidegate.replay.tiers;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.replay.archive.Coverage;
import dev.tidegate.replay.archive.Coverage.Range;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;

class RouteTest {
    private static final String NS = "orders";

    @Test
    void theArchiveComesBeforeKafkaAndKafkaBeforeAGap() {
        // given: archived are 10..49 and 80..99, Kafka begins at 60
        Coverage c = coverage(new Range(0, 10, 50, Set.of(NS)), new Range(0, 80, 100, Set.of(NS)));

        // when, then
        assertThat(next(-1, 200, c, 60)).isEqualTo(new Route.Gone(9));
        assertThat(next(9, 200, c, 60)).isEqualTo(new Route.Archive(49));
        assertThat(next(9, 30, c, 60)).isEqualTo(new Route.Archive(30));
        assertThat(next(49, 200, c, 60)).isEqualTo(new Route.Gone(59));
        assertThat(next(59, 200, c, 60)).isEqualTo(new Route.Kafka(79));
        assertThat(next(79, 200, c, 60)).isEqualTo(new Route.Archive(99));
        assertThat(next(99, 200, c, 60)).isEqualTo(new Route.Kafka(200));
        assertThat(next(49, 200, c, 90))
                .as("the archive goes on before Kafka does")
                .isEqualTo(new Route.Gone(79));
    }

    @Test
    void whoIsNotArchivedHasKafkaOrAGap() {
        // given
        Coverage c = coverage(new Range(0, 0, 100, Set.of(NS)));

        // when, then
        assertThat(Route.next(4, 50, new Route.Tiers(0, "other", false, c, 20))).isEqualTo(new Route.Gone(19));
        assertThat(Route.next(19, 50, new Route.Tiers(0, "other", false, c, 20)))
                .isEqualTo(new Route.Kafka(50));
    }

    @Test
    void whileTheArchiveCannotBeAskedNothingIsCalledGone() {
        assertThat(next(4, 50, null, 20)).isEqualTo(new Route.Unknown());
        assertThat(next(19, 50, null, 20)).isEqualTo(new Route.Kafka(50));
    }

    /** Whatever is covered and wherever Kafka begins: step by step every offset is read where it is, or told to be gone if it is nowhere. */
    @Test
    void everyOffsetIsReadWhereItIsOrToldToBeGone() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        for (int round = 0; round < 20_000; round++) {
            // given
            int end = 1 + random.nextInt(60);
            int kafkaStart = random.nextInt(end + 1);
            BitSet archived = new BitSet();
            List<Range> ranges = new ArrayList<>();
            for (int at = random.nextInt(4); at < end; at += random.nextInt(6)) {
                int next = at + 1 + random.nextInt(12);
                boolean ours = random.nextInt(4) > 0;
                ranges.add(new Range(0, at, next, ours ? Set.of(NS, "demo") : Set.of("demo")));
                if (ours) {
                    archived.set(at, next);
                }
                at = next;
            }
            Coverage coverage = coverage(ranges.toArray(Range[]::new));

            // when
            long scanned = -1;
            while (scanned < end - 1) {
                Route route = next(scanned, end - 1, coverage, kafkaStart);
                // then
                long to = switch (route) {
                    case Route.Archive(long upTo) -> {
                        assertThat(archived.nextClearBit((int) scanned + 1))
                                .as("seed %d round %d %s", seed, round, route)
                                .isGreaterThan((int) upTo);
                        yield upTo;
                    }
                    case Route.Kafka(long upTo) -> {
                        assertThat(scanned + 1)
                                .as("seed %d round %d %s", seed, round, route)
                                .isGreaterThanOrEqualTo(kafkaStart);
                        yield upTo;
                    }
                    case Route.Gone(long upTo) -> {
                        int next = archived.nextSetBit((int) scanned + 1);
                        assertThat(upTo)
                                .as("seed %d round %d %s", seed, round, route)
                                .isLessThan(kafkaStart);
                        assertThat(next < 0 || next > upTo)
                                .as("seed %d round %d %s", seed, round, route)
                                .isTrue();
                        yield upTo;
                    }
                    case Route.Unknown _ -> throw new AssertionError("seed " + seed + " round " + round);
                };
                assertThat(to).as("seed %d round %d %s", seed, round, route).isGreaterThan(scanned);
                scanned = to;
            }
        }
    }

    private static Coverage coverage(Range... ranges) {
        return new Coverage("epoch", List.of(ranges), 0);
    }

    private static Route next(long scanned, long upTo, Coverage coverage, long kafkaStart) {
        return Route.next(scanned, upTo, new Route.Tiers(0, NS, true, coverage, kafkaStart));
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Random histories of the hedge and its reconciliation, each from a seed: Kafka and Redis delay, reorder, repeat, refuse and
 * drop; subscribers join, are slow, resume, reconnect. A failure prints its seed and what happened; to see one again, run
 * {@code -Dtest=HedgeSimulationTest -Dtidegate.sim.seed=<seed>}.
 */
class HedgeSimulationTest {
    private static final int HISTORIES = 100_000;
    private static final int STEPS = 110;

    @Test
    void nothingIsLostDoubledOrOutOfPlaceInManyHistories() {
        // given a seed of today, unless one is asked for
        Long asked = Long.getLong("tidegate.sim.seed");
        long first = asked != null ? asked : ThreadLocalRandom.current().nextLong(1L << 40);
        int histories = asked != null ? 1 : Integer.getInteger("tidegate.sim.histories", HISTORIES);

        // when
        long start = System.nanoTime();
        AtomicLong provisional = new AtomicLong();
        AtomicLong positions = new AtomicLong();
        LongStream.range(first, first + histories).parallel().forEach(seed -> {
            HedgeHistory h = history(seed, HedgeHistory.Fault.NONE);
            provisional.addAndGet(h.provisional);
            positions.addAndGet(h.positions);
        });
        System.out.printf(
                "%d histories from seed %d in %d ms: %d copies delivered, %d positions in an event's place%n",
                histories, first, (System.nanoTime() - start) / 1_000_000, provisional.get(), positions.get());

        // then: no history has failed, and they were about something
        assertThat(asked != null || positions.get() > histories).isTrue();
    }

    /** A simulation that finds nothing may be blind. */
    @ParameterizedTest
    @EnumSource(names = "NONE", mode = EnumSource.Mode.EXCLUDE)
    void eachSeededFaultIsFound(HedgeHistory.Fault fault) {
        for (long seed = 0; seed < 5_000; seed++) {
            try {
                new HedgeHistory(seed, fault, null).run(STEPS);
            } catch (AssertionError found) {
                System.out.printf("%s: found by seed %d: %s%n", fault, seed, found.getMessage());
                return;
            }
        }
        throw new AssertionError("5,000 histories do not find " + fault);
    }

    private static HedgeHistory history(long seed, HedgeHistory.Fault fault) {
        try {
            HedgeHistory h = new HedgeHistory(seed, fault, null);
            h.run(STEPS);
            return h;
        } catch (AssertionError | RuntimeException e) {
            // The same again, this time written down.
            List<String> trace = new ArrayList<>();
            try {
                new HedgeHistory(seed, fault, trace).run(STEPS);
            } catch (AssertionError | RuntimeException again) {
                e.addSuppressed(again);
            }
            throw new AssertionError("seed " + seed + ": " + e + "\n" + String.join("\n", trace), e);
        }
    }
}

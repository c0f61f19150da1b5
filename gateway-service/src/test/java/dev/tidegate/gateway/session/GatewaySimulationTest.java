package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.util.ResourceLeakDetector;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;

/**
 * Random histories of the whole core on one thread, each from a seed. A failure prints its seed and the last steps; to
 * see one again, run {@code -Dtest=GatewaySimulationTest -Dtidegate.sim.seed=<seed>}. The idea is Apache Kafka's
 * RaftEventSimulationTest.
 */
class GatewaySimulationTest {
    private static final int STEPS = 1500;
    private static final int SHOWN = 120;

    private static long provisional;

    @Test
    void everyClientIsWholeInManyHistories() throws InterruptedException {
        // given a seed of today, unless one is asked for
        Long asked = Long.getLong("tidegate.sim.seed");
        long first = asked != null ? asked : ThreadLocalRandom.current().nextLong(1L << 40);
        long seconds = Long.getLong("tidegate.sim.seconds", 8);

        // when / then
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        long delivered = 0;
        provisional = 0;
        int histories = 0;
        do {
            delivered += history(first + histories++, false);
        } while (asked == null && System.nanoTime() - end < 0);
        System.out.printf(
                "%d histories from seed %d, %d events delivered, %d before they were in Kafka%n",
                histories, first, delivered, provisional);
        assertThat(delivered).isPositive();
        assertThat(asked != null || provisional > histories).isTrue();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void everyClientIsWhole(long seed) throws InterruptedException {
        assertThat(history(seed, false)).isNotNegative();
    }

    @Test
    void noBufferIsLeakedOrUsedAfterItsReleaseWhenEveryOneIsTracked() throws InterruptedException {
        // given: with tracking, an access after the release fails by itself; used memory is checked in every history
        ResourceLeakDetector.Level before = ResourceLeakDetector.getLevel();
        Logger logger = (Logger) LoggerFactory.getLogger(ResourceLeakDetector.class);
        ListAppender<ILoggingEvent> reports = new ListAppender<>();
        reports.start();
        logger.addAppender(reports);
        ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
        try {
            // when
            for (long seed = 100; seed < 105; seed++) {
                history(seed, true);
            }
            System.gc();
            history(105, true); // reports of what was collected are made when something new is tracked

            // then
            assertThat(reports.list).isEmpty();
        } finally {
            ResourceLeakDetector.setLevel(before);
            logger.detachAppender(reports);
        }
    }

    private static long history(long seed, boolean leakDetection) throws InterruptedException {
        try {
            Simulation s = new Simulation(seed, leakDetection, null);
            s.run(STEPS);
            provisional += s.provisional;
            return s.delivered;
        } catch (AssertionError | RuntimeException e) {
            // The same again, this time written down.
            List<String> trace = new ArrayList<>();
            try {
                new Simulation(seed, leakDetection, trace).run(STEPS);
            } catch (AssertionError | RuntimeException again) {
                e.addSuppressed(again);
            }
            int from = Math.max(0, trace.size() - Integer.getInteger("tidegate.sim.shown", SHOWN));
            throw new AssertionError(
                    "seed " + seed + ": " + e + "\n" + String.join("\n", trace.subList(from, trace.size())), e);
        }
    }
}

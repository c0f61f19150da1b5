package dev.tidegate.replay.kafka;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class FillPlanTest {
    private static final long NOW = 1_800_000_000_000L;

    @Test
    void everythingIsReadWhereItFits() {
        long[] from = FillPlan.offsets(
                new long[] {10, 0}, new long[] {100, 50}, new double[] {100, 100}, 14_000, t -> new long[2], NOW);
        assertThat(from).containsExactly(10, 0);
    }

    @Test
    void partitionsReachBackEquallyFarInTime() {
        // given: one record a second and ten a second, for a day
        long[] ends = {86_400, 864_000};
        FillPlan.TimeIndex index = t -> {
            double seconds = (t - (NOW - 86_400_000L)) / 1000.0;
            return new long[] {
                Math.clamp((long) Math.ceil(seconds), 0, 86_400), Math.clamp((long) Math.ceil(seconds * 10), 0, 864_000)
            };
        };

        // when: room for an hour of it
        long budget = 3_600 * (100 + 10 * 200);
        long[] from = FillPlan.offsets(new long[2], ends, new double[] {100, 200}, budget, index, NOW);

        // then
        assertThat(ends[0] - from[0]).isBetween(3_500L, 3_600L);
        assertThat(ends[1] - from[1]).isBetween(35_000L, 36_000L);
    }

    @Test
    void recordsOfOneMomentAreShared() {
        // given: an import, all of one time, an hour ago
        long[] ends = {1_000_000, 3_000_000};
        FillPlan.TimeIndex index = t -> t <= NOW - 3_600_000L ? new long[2] : ends.clone();

        // when
        long[] from = FillPlan.offsets(new long[2], ends, new double[] {100, 100}, 40_000_000, index, NOW);

        // then
        assertThat(ends[0] - from[0]).isBetween(99_000L, 100_000L);
        assertThat(ends[1] - from[1]).isBetween(299_000L, 300_000L);
    }

    @Test
    void timeStampsThatMakeNoSenseStillGiveAPlanWithinTheBudget() {
        // given: an index that answers anything
        long[] ends = {5_000, 5_000, 5_000};
        long[] starts = {100, 0, 4_000};
        FillPlan.TimeIndex index = t -> new long[] {t % 7_000, 9_999_999, -5};

        // when
        long[] from = FillPlan.offsets(starts, ends, new double[] {10, 10, 10}, 30_000, index, NOW);

        // then
        for (int p = 0; p < 3; p++) {
            assertThat(from[p]).isBetween(starts[p], ends[p]);
        }
        assertThat(Arrays.stream(ends).sum() - Arrays.stream(from).sum()).isBetween(2_900L, 3_003L);
    }
}

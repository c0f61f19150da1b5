package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PressureTest {
    private static final long SECOND = 1_000_000_000L;

    private final Pressure pressure = new Pressure(2 * SECOND);

    @Test
    void sendsAShareAwayOnceTasksHaveWaitedTooLongForAWhile() {
        for (int s = 0; s < 5; s++) {
            assertThat(pressure.note(100 * SECOND + s * SECOND, 3 * SECOND, 1000))
                    .isZero();
        }
        assertThat(pressure.note(105 * SECOND, 3 * SECOND, 1000)).isEqualTo(10);
        assertThat(pressure.note(105 * SECOND + SECOND / 4, 3 * SECOND, 990)).isZero();
        assertThat(pressure.note(106 * SECOND, 3 * SECOND, 990)).isEqualTo(10);
        assertThat(pressure.note(107 * SECOND, 3 * SECOND, 5)).isEqualTo(1);
        assertThat(pressure.note(108 * SECOND, 3 * SECOND, 0)).isZero();
    }

    @Test
    void aPauseSendsNobodyAway() {
        // given: one task that waited for a minute
        assertThat(pressure.note(100 * SECOND, 60 * SECOND, 1000)).isZero();

        // when / then: those after it did not
        assertThat(pressure.note(101 * SECOND, SECOND / 10, 1000)).isZero();
        for (int s = 0; s < 5; s++) {
            assertThat(pressure.note(200 * SECOND + s * SECOND, 3 * SECOND, 1000))
                    .isZero();
        }
    }
}

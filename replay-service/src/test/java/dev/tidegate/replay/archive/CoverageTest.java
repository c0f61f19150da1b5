package dev.tidegate.replay.archive;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.replay.archive.Coverage.Range;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CoverageTest {
    private final Coverage coverage = new Coverage(
            "epoch",
            List.of(
                    new Range(0, 100, 200, Set.of("orders", "demo")),
                    new Range(0, 10, 50, Set.of("orders")),
                    new Range(0, 50, 100, Set.of("orders", "chat")),
                    new Range(0, 300, 400, Set.of("orders")),
                    new Range(1, 0, 5, Set.of("orders"))),
            0);

    @Test
    void neighbouringRangesAreOneForWhoIsInBoth() {
        assertThat(coverage.coveredTo(0, "orders", 10)).isEqualTo(200);
        assertThat(coverage.coveredTo(0, "orders", 199)).isEqualTo(200);
        assertThat(coverage.coveredTo(0, "demo", 100)).isEqualTo(200);
        assertThat(coverage.coveredTo(0, "chat", 60)).isEqualTo(100);
        assertThat(coverage.coveredFrom(0, "orders", 199)).isEqualTo(10);
        assertThat(coverage.coveredFrom(0, "demo", 150)).isEqualTo(100);
        assertThat(coverage.coveredFrom(0, "orders", 350)).isEqualTo(300);
    }

    @Test
    void whatIsInNoRangeIsNotCovered() {
        for (long offset : new long[] {0, 9, 200, 299, 400, 1000}) {
            assertThat(coverage.coveredTo(0, "orders", offset)).as("%d", offset).isEqualTo(offset);
            assertThat(coverage.coveredFrom(0, "orders", offset))
                    .as("%d", offset)
                    .isEqualTo(offset + 1);
        }
        assertThat(coverage.coveredTo(0, "demo", 60)).isEqualTo(60);
        assertThat(coverage.coveredTo(0, "other", 60)).isEqualTo(60);
        assertThat(coverage.coveredTo(1, "orders", 5)).isEqualTo(5);
        assertThat(coverage.coveredTo(2, "orders", 0)).isEqualTo(0);
    }

    @Test
    void whereItGoesOnIsKnown() {
        assertThat(coverage.nextAfter(0, "orders", 0)).isEqualTo(10);
        assertThat(coverage.nextAfter(0, "orders", 200)).isEqualTo(300);
        assertThat(coverage.nextAfter(0, "orders", 400)).isEqualTo(Long.MAX_VALUE);
        assertThat(coverage.nextAfter(0, "demo", 60)).isEqualTo(100);
        assertThat(coverage.nextAfter(2, "orders", 0)).isEqualTo(Long.MAX_VALUE);
    }
}

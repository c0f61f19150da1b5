package dev.tidegate.perf.swarm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class ProbeTest {
    @Test
    void aClassHistogramIsReadLineByLine() {
        // given what jcmd prints
        String histogram = """
                4711:
                 num     #instances         #bytes  class name (module)
                -------------------------------------------------------
                   1:         63545        4087336  [B (java.base@25.0.3)
                   2:          1000          56000  dev.tidegate.gateway.session.Session
                   3:            10            160  [B
                Total         64555        4143496
                """;

        // when
        Map<String, Long> classes = Probe.classes(histogram);

        // then
        assertThat(classes).isEqualTo(Map.of("[B", 4087336L + 160, "dev.tidegate.gateway.session.Session", 56000L));
    }

    @Test
    void aProcessTellsItsTimeAndMemory() {
        // given this one
        try (Probe probe =
                new Probe(new Settings.Pid("self", ProcessHandle.current().pid()))) {
            // when, then
            assertThat(probe.cpuSeconds()).isPositive();
            assertThat(probe.rssKiB()).isGreaterThan(10_000);
            assertThat(probe.flags()).contains("-Xmx1g");
        }
    }

    @Test
    void aProcessThatIsNotThereIsRefused() {
        // given, when, then
        assertThatThrownBy(() -> new Probe(new Settings.Pid("x", 999_999_999)))
                .isInstanceOf(Arguments.Wrong.class)
                .hasMessageContaining("--pid: x=999999999");
    }
}

package dev.tidegate.perf.swarm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SettingsTest {
    private static Settings parse(String line) {
        return Settings.parse(Arrays.asList(line.split(" ", -1)));
    }

    @ParameterizedTest
    @CsvSource({
        "storms, scenario: storms",
        "fanout --rat 5, --rat",
        "fanout --rate fast, --rate: fast",
        "fanout --rate -1, --rate",
        "fanout --connections 1.5, --connections",
        "fanout --size 10, --size: 10",
        "fanout --gateway nowhere, --gateway: nowhere",
        "fanout --publish smtp, --publish: smtp",
        "fanout --pid gateway, --pid: gateway",
        "fanout --per-connection 2, --per-connection: 2",
        "fanout --inspect gateway, --inspect: gateway",
        "fanout stray, stray",
    })
    void aWrongCommandLineIsToldByName(String line, String named) {
        // given a line with one mistake
        // when, then
        assertThatThrownBy(() -> parse(line))
                .isInstanceOf(Arguments.Wrong.class)
                .hasMessageContaining(named);
    }

    @Test
    void scenariosHaveTheirOwnDefaults() {
        // given
        String more = " --connections 500";

        // when, then
        assertThat(parse("fanout" + more).load().channels()).isEqualTo(1);
        assertThat(parse("sparse" + more).load().channels()).isEqualTo(500);
        assertThat(parse("storm" + more).load().channels()).isEqualTo(50);
        assertThat(parse("storm" + more).load().reconnect()).isTrue();
        assertThat(parse("fanout" + more).load().reconnect()).isFalse();
        assertThat(parse("idle" + more).publishing().way()).isEqualTo(Settings.Way.NONE);
    }

    @Test
    void theShareOfSlowOnesIsExact() {
        // given
        Settings s = parse("slow --connections 5000 --slow-share 0.2");

        // when
        long slow = IntStream.range(0, 5000).filter(s::isSlow).count();

        // then
        assertThat(slow).isEqualTo(1000);
    }

    @Test
    void settingsSurviveTheWayToAChildAndSecretsAreNotPublished() {
        // given
        Settings s = parse(
                "storm --hs256 hush --pid gateway=1 --storm-gateway 127.0.0.1:2,127.0.0.1:3 --gateway 127.0.0.1:1");
        Wire.Command start = new Wire.Command.Start(s, 5, 6, 0.5, 7);

        // when
        String line = Wire.JSON.writerFor(Wire.Command.class).writeValueAsString(start);
        Wire.Command read = Wire.JSON.readValue(line, Wire.Command.class);

        // then
        assertThat(read).isEqualTo(start);
        assertThat(Wire.JSON.writeValueAsString(s.withoutSecrets())).doesNotContain("hush");
        assertThat(s.disturbance().gateways())
                .isEqualTo(List.of(new Settings.Address("127.0.0.1", 2), new Settings.Address("127.0.0.1", 3)));
    }
}

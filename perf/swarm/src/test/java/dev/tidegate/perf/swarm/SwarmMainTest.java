package dev.tidegate.perf.swarm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.perf.report.ResultFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The whole of it: a parent, two children in processes of their own, publishing over HTTP. */
class SwarmMainTest {
    @TempDir
    Path folder;

    private int run(ScriptedGateway gateway, String... more) {
        List<String> words = new ArrayList<>(List.of(
                more[0],
                "--gateway",
                "127.0.0.1:" + gateway.port(),
                "--ingest",
                "http://127.0.0.1:" + gateway.port(),
                "--publish",
                "http",
                "--connections",
                "40",
                "--per-process",
                "20",
                "--channels",
                "10",
                "--connect-rate",
                "2000",
                "--rate",
                "200",
                "--duration",
                "0.5",
                "--drain", // at most
                "60",
                "--pid",
                "gateway=" + ProcessHandle.current().pid(),
                "--results",
                folder.toString(),
                "--seed",
                "7"));
        words.addAll(List.of(more).subList(1, more.length));
        return SwarmMain.parent(words);
    }

    @Test
    void aStormOverTwoChildrenIsExactAndWrittenDown() throws Exception {
        try (ScriptedGateway gateway = new ScriptedGateway()) {
            // given a gateway that does right
            // when
            int code =
                    run(gateway, "storm", "--at", "0.1", "--away-ms", "100", "--away-events", "3", "--warmup", "0.2");

            // then
            assertThat(code).isEqualTo(SwarmMain.EXACT);
            var results = ResultFile.readAll(folder);
            assertThat(results).hasSize(1);
            var r = results.getFirst().json();
            assertThat(r.path("exact").asBoolean()).isTrue();
            assertThat(r.path("storm").path("recovered").asInt()).isEqualTo(40);
            assertThat(r.path("storm").path("missed").asDouble()).isGreaterThanOrEqualTo(3);
            assertThat(r.path("published").path("attempted").asInt())
                    .isEqualTo(r.path("published").path("acknowledged").asInt());
            assertThat(r.path("accounts").path("delivered").asLong())
                    .isEqualTo(4 * r.path("published").path("attempted").asLong());
            assertThat(r.path("settings").path("seed").asInt()).isEqualTo(7);
            assertThat(r.path("processes").path(0).path("rssKiB").path(0).asLong())
                    .isPositive();
            assertThat(r.path("client").path("processes").asInt()).isEqualTo(2);
        }
    }

    @Test
    void aLossEndsWithAnExitCodeOfItsOwn() throws Exception {
        try (ScriptedGateway gateway = new ScriptedGateway()) {
            // given
            gateway.script = (e, connection) -> e.offset() == 110 && connection == 3 ? List.of() : List.of(e.frame());

            // when
            int code = run(gateway, "fanout", "--channels", "1", "--duration", "2", "--drain", "5");

            // then
            assertThat(code).isEqualTo(SwarmMain.NOT_EXACT);
            var r = ResultFile.readAll(folder).getFirst().json();
            assertThat(r.path("accounts").path("lost").asInt()).isEqualTo(1);
            assertThat(r.path("accounts").path("holes").asInt()).isEqualTo(1);
            assertThat(r.path("faults").toString()).contains("never came");
        }
    }

    @Test
    void aWrongCommandLineAndAMissingGatewayHaveTheirOwnCodes() {
        // given nothing that listens
        // when, then
        assertThat(SwarmMain.parent(List.of("fanout", "--what"))).isEqualTo(SwarmMain.WRONG_COMMAND_LINE);
        assertThat(SwarmMain.parent(List.of("--help"))).isEqualTo(SwarmMain.EXACT);
        assertThat(SwarmMain.parent(List.of("fanout", "--pid", "gateway=999999999", "--results", "none")))
                .isEqualTo(SwarmMain.WRONG_COMMAND_LINE);
    }
}

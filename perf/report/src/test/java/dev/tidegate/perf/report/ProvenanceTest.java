package dev.tidegate.perf.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProvenanceTest {
    @TempDir
    Path folder;

    @Test
    void tellsFlagsThatBearOnFiguresAndNoPaths() {
        // given
        List<String> arguments = List.of(
                "-Xmx1g",
                "-XX:+UseSerialGC",
                "-XX:LogFile=/somewhere/x.log",
                "-Dio.netty.allocator.type=pooled",
                "-Dspring.profiles.active=dev",
                "-cp");

        // when
        List<String> told = Jvm.telling(arguments);

        // then
        assertThat(told).containsExactly("-Xmx1g", "-XX:+UseSerialGC", "-Dio.netty.allocator.type=pooled");
    }

    @Test
    void aResultCarriesMachineAndCommitAndIsReadBack() throws Exception {
        // given
        Provenance here = Provenance.now();

        // when
        Path file = ResultFile.write(folder, "a name/with what not", Map.of("provenance", here));
        List<ResultFile.Read> read = ResultFile.readAll(folder);

        // then
        assertThat(file.getFileName().toString()).endsWith("-a-name-with-what-not.json");
        assertThat(read).hasSize(1);
        var json = read.get(0).json().path("provenance");
        assertThat(json.path("machine").path("cores").asInt()).isPositive();
        assertThat(json.path("machine").path("memoryMiB").asLong()).isPositive();
        assertThat(json.path("commit").path("id").asString())
                .isEqualTo(Commit.of(Path.of("").toAbsolutePath()).id());
        assertThat(json.path("jvm").path("name").asString()).contains("VM");
    }

    @Test
    void aCommitIsTheWorkTreesAndToldWhetherFilesDiffer() throws Exception {
        // given a repository of one commit
        git("init", "-q");
        Files.writeString(folder.resolve("f"), "1");
        git("add", "f");
        git("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false", "commit", "-qm", "m");

        // when, then
        Commit clean = Commit.of(folder);
        assertThat(clean.id()).matches("[0-9a-f]{12}");
        assertThat(clean.changed()).isFalse();
        Files.writeString(folder.resolve("f"), "2");
        assertThat(Commit.of(folder)).isEqualTo(new Commit(clean.id(), true));
    }

    private void git(String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of("git"));
        command.addAll(List.of(arguments));
        assertThat(new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .inheritIO()
                        .start()
                        .waitFor())
                .isZero();
    }

    @Test
    void outsideOfAWorkTreeTheCommitIsUnknown() {
        // given a folder of no repository
        // when
        Commit commit = Commit.of(Path.of("/"));

        // then
        assertThat(commit).isEqualTo(new Commit("unknown", false));
    }
}

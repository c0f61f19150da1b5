package dev.tidegate.backends;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataFolderTest {

    @TempDir
    Path temp;

    @Test
    @DisplayName("a missing folder is made and marked, and opened again as it is")
    void madeAndOpenedAgain() throws IOException {
        // given
        Path path = temp.resolve("a/b");
        // when
        DataFolder first = DataFolder.open(path);
        Files.writeString(first.path().resolve("redis"), "kept");
        DataFolder second = DataFolder.open(path);
        // then
        assertThat(second.path().resolve("tidegate.properties")).content().contains("format=1");
        assertThat(second.path().resolve("redis")).content().isEqualTo("kept");
    }

    @Test
    @DisplayName("several that start on the same new folder at once all get it")
    void openedAtOnce() throws Exception {
        int many = 4;
        try (ExecutorService threads = Executors.newFixedThreadPool(many)) {
            for (int round = 0; round < 300; round++) {
                // given
                Path path = temp.resolve("shared" + round);
                CyclicBarrier together = new CyclicBarrier(many);
                // when
                List<Future<Path>> opened = threads.invokeAll(Collections.nCopies(many, () -> {
                    together.await();
                    return DataFolder.open(path).path();
                }));
                // then
                for (Future<Path> one : opened) {
                    assertThat(one.get()).isEqualTo(path);
                }
                try (Stream<Path> files = Files.list(path)) {
                    assertThat(files.map(file -> file.getFileName().toString()))
                            .containsExactlyInAnyOrder("tidegate.properties", "logs");
                }
            }
        }
    }

    @Test
    @DisplayName("somebody else's folder is refused and left as it was")
    void foreign() throws IOException {
        // given
        Files.writeString(temp.resolve("thesis.txt"), "x");
        // then
        assertThatThrownBy(() -> DataFolder.open(temp))
                .isInstanceOf(StartFailure.class)
                .hasMessageContaining("is not Tidegate's")
                .hasMessageContaining("TIDEGATE_DATA");
        assertThat(temp).isDirectoryNotContaining(file -> !file.endsWith("thesis.txt"));
    }

    @Test
    @DisplayName("a later format, a marker without a format and a file in its place are told in one line each")
    void unusable() throws IOException {
        // given
        Path later = Files.createDirectory(temp.resolve("later"));
        Files.writeString(later.resolve(DataFolder.MARKER), "format=2\n");
        Path empty = Files.createDirectory(temp.resolve("empty"));
        Files.writeString(empty.resolve(DataFolder.MARKER), "");
        Path binary = Files.createDirectory(temp.resolve("binary"));
        Files.write(binary.resolve(DataFolder.MARKER), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
        Path escape = Files.createDirectory(temp.resolve("escape"));
        Files.writeString(escape.resolve(DataFolder.MARKER), "format=\\uZZZZ");
        Path file = Files.writeString(temp.resolve("file"), "x");
        // then
        assertRefused(later, "has format 2");
        assertRefused(empty, "names no format");
        assertRefused(binary, "cannot be read");
        assertRefused(escape, "cannot be read");
        assertRefused(file, "is a file");
    }

    private static void assertRefused(Path path, String why) {
        assertThatThrownBy(() -> DataFolder.open(path))
                .isInstanceOf(StartFailure.class)
                .hasMessageContaining(why)
                .satisfies(e -> assertThat(e.getMessage().lines()).hasSize(1));
    }

    @Test
    @DisplayName("one backend's part belongs to one at a time; the others' parts are free")
    void claimedOnce() {
        // given
        DataFolder data = DataFolder.open(temp);
        try (Claim kafka = data.claim(BackendKind.KAFKA);
                Claim redis = data.claim(BackendKind.REDIS)) {
            // then
            assertThat(kafka.folder()).isNotEqualTo(redis.folder());
            assertThatThrownBy(() -> data.claim(BackendKind.KAFKA))
                    .isInstanceOf(StartFailure.class)
                    .hasMessageContaining("in use")
                    .hasMessageContaining(Long.toString(ProcessHandle.current().pid()));
        }
        // and when given back, it can be claimed again
        data.claim(BackendKind.KAFKA).close();
    }

    @Test
    @DisplayName("a process left over from a killed run is ended before its part is claimed again")
    void leftOver() throws IOException {
        // given: a child that its owner recorded, and then forgot
        DataFolder data = DataFolder.open(temp);
        Process child = new ProcessBuilder("sleep", "600").start();
        try (Claim claim = data.claim(BackendKind.REDIS)) {
            claim.record(child.toHandle());
        }
        // when
        data.claim(BackendKind.REDIS).close();
        // then
        assertThat(child.isAlive()).isFalse();
    }

    @Test
    @DisplayName("a process that merely has the pid of a left-over one is left alone")
    void pidGivenToAnother() throws IOException {
        // given: our own pid, but another time of start
        DataFolder data = DataFolder.open(temp);
        long longAgo = Instant.now().minusSeconds(86_400).toEpochMilli();
        Files.writeString(
                data.path().resolve("redis.pid"), ProcessHandle.current().pid() + " " + longAgo);
        // when
        data.claim(BackendKind.REDIS).close();
        // then: this JVM lives on, and the record is gone
        assertThat(data.path().resolve("redis.pid")).doesNotExist();
    }

    @Test
    @DisplayName("a start that was killed while it made its folder begins afresh")
    void halfMade() throws IOException {
        // given
        DataFolder data = DataFolder.open(temp);
        Files.createDirectories(data.path().resolve("redis.new/sub"));
        Files.writeString(data.path().resolve("redis.new/sub/file"), "half");
        // when
        try (Claim claim = data.claim(BackendKind.REDIS)) {
            Path folder = claim.formatted(fresh -> Files.writeString(fresh.resolve("whole"), "x"));
            // then
            assertThat(folder).isDirectoryContaining(file -> file.endsWith("whole"));
            assertThat(folder.resolve("sub")).doesNotExist();
        }
    }
}

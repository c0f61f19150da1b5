package dev.tidegate.backends;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuardedProcessTest {

    @TempDir
    Path temp;

    @Test
    @DisplayName("stop sends the signal asked for and waits for the end")
    void stops() throws IOException {
        // given: a signal that is not ignored where tests run in the background, as SIGINT is
        Path log = temp.resolve("log");
        GuardedProcess process = GuardedProcess.start(
                List.of("sh", "-c", "trap 'echo interrupted; exit 3' USR1; echo up; while :; do sleep 0.05; done"),
                Map.of(),
                "USR1",
                log);
        assertThat(Waiting.until(
                        Duration.ofSeconds(60),
                        () -> LogTail.last(log, "up"::equals).isPresent()))
                .isTrue();
        // when
        process.stop();
        // then
        assertThat(process.isAlive()).isFalse();
        assertThat(process.ended().join()).isEqualTo("exit code 3");
        assertThat(log).content().contains("interrupted");
    }

    @Test
    @DisplayName("the child ends when its JVM is killed with SIGKILL")
    void endsWithItsJvm() throws Exception {
        // given: a JVM that guards a child
        Path log = temp.resolve("child.log");
        Process jvm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Owner.class.getName(),
                        log.toString())
                .redirectErrorStream(true)
                .start();
        String pid = jvm.inputReader().readLine();
        ProcessHandle child = ProcessHandle.of(Long.parseLong(pid)).orElseThrow();
        // when
        jvm.destroyForcibly().waitFor();
        // then
        assertThat(child.onExit().get(60, TimeUnit.SECONDS).isAlive()).isFalse();
    }

    /** Guards a child for ever. */
    static final class Owner {
        public static void main(String[] arguments) throws InterruptedException {
            GuardedProcess child =
                    GuardedProcess.start(List.of("sleep", "600"), Map.of(), "TERM", Path.of(arguments[0]));
            System.out.println(child.pid());
            Thread.currentThread().join();
        }
    }

    @Test
    @DisplayName("its output goes to its log, and variables that would change PostgreSQL do not reach it")
    void environment() throws Exception {
        // given
        Path log = temp.resolve("log");
        // when
        GuardedProcess process = GuardedProcess.start(
                List.of("sh", "-c", "echo $GIVEN; echo oops >&2; exit 7"), Map.of("GIVEN", "value"), "TERM", log);
        // then
        assertThat(process.ended().get(60, TimeUnit.SECONDS)).isEqualTo("exit code 7");
        assertThat(Files.readAllLines(log)).containsExactlyInAnyOrder("value", "oops");
    }
}

package dev.tidegate.gateway.fanout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.openjdk.jcstress.annotations.JCStressTest;

/** Runs {@link SubscribeTailRace} under jcstress in JVMs of its own; a forbidden outcome fails it. */
class SubscribeTailRaceTest {
    /** Far more than the run takes on an idle machine (about 15 s); bounds a run that hangs. */
    private static final long MOST_SECONDS = 240;

    @Test
    void noRecordFallsBetweenTheLookUpAndThePosition(@TempDir Path folder) throws Exception {
        // given: two actors need two processors to meet
        assumeTrue(Runtime.getRuntime().availableProcessors() >= 2, "one processor");
        Path output = folder.resolve("output.txt");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        List<String> command = new ArrayList<>(List.of(
                java,
                "-cp",
                System.getProperty("java.class.path"),
                "org.openjdk.jcstress.Main",
                "-t",
                SubscribeTailRace.class.getSimpleName(),
                "-r",
                folder.toString()));
        // One JVM mode and one fork a test: many samples of one configuration rather than few of many. The heap sets
        // how
        // many objects are raced over at a time; with a small one a missing fence stays hidden.
        command.addAll(List.of(
                "-m quick -v -sc false -af NONE -f 1 -fsm 1 -hs 1024 -jvmArgs -Xmx1g -iters 6 -time 400".split(" ")));

        // when
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(MOST_SECONDS, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }

        // then
        String said = Files.readString(output);
        assertThat(ended).as(said).isTrue();
        assertThat(process.exitValue()).as(said).isZero();
        String results = said.substring(said.indexOf("RUN RESULTS"));
        assertThat(results).contains("Failed tests: No matches").contains("Error tests: No matches");
        List<String> races = Stream.of(SubscribeTailRace.class.getDeclaredClasses())
                .filter(c -> c.isAnnotationPresent(JCStressTest.class))
                .map(c -> "[OK] " + c.getCanonicalName())
                .toList();
        assertThat(races).hasSize(5).allSatisfy(ok -> assertThat(results).contains(ok));
    }
}

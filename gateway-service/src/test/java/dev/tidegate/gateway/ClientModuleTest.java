package dev.tidegate.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/**
 * Runs the tests of the page's client module, {@code src/test/js}, with Node's own test runner. Node is not required: where
 * there is none this test is skipped, and says so.
 */
class ClientModuleTest {
    private static final int TIMEOUT_SECONDS = 60;

    @Test
    void theClientModulePassesItsOwnTests() throws Exception {
        // given
        if (!nodeRunsTests()) {
            System.out.println("SKIPPED: no Node 20 or newer on the path: the page's client module was not tested");
            abort("no Node 20 or newer on the path");
        }
        Path tests = Path.of("src", "test", "js", "tidegate-client.test.mjs").toAbsolutePath();

        // when
        Process node = new ProcessBuilder("node", "--test", tests.toString())
                .redirectErrorStream(true)
                .start();
        String output = new String(node.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        boolean ended = node.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS);

        // then
        assertThat(ended).isTrue();
        assertThat(node.exitValue()).as(output).isZero();
        assertThat(output).as("tests were run").containsPattern("(?m)^\\S* ?pass [1-9]");
    }

    private static boolean nodeRunsTests() throws InterruptedException {
        try {
            Process node = new ProcessBuilder("node", "--version")
                    .redirectError(new File("/dev/null"))
                    .start();
            String version = new String(node.getInputStream().readAllBytes(), StandardCharsets.US_ASCII).strip();
            return node.waitFor(10, TimeUnit.SECONDS)
                    && version.matches("v[0-9]+\\..*")
                    && Integer.parseInt(version.substring(1, version.indexOf('.'))) >= 20;
        } catch (IOException e) {
            return false; // not there
        }
    }
}

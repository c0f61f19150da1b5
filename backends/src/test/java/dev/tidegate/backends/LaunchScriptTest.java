package dev.tidegate.backends;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How {@code ./tidegate} finds a JDK, told by its command {@code java}; the JDKs are folders with as much in them as it looks at. */
class LaunchScriptTest {

    @TempDir
    Path temp;

    private Path jdks;
    private final Map<String, String> environment = new HashMap<>();

    @BeforeEach
    void noJdkAnywhere() throws IOException {
        jdks = Files.createDirectory(temp.resolve("jdks"));
        environment.put("TIDEGATE_JDK_FOLDERS", jdks + ":" + temp.resolve("not-there"));
        environment.put("HOME", temp.toString());
        // The tools that the script uses, without any java beside them.
        Path tools = Files.createDirectory(temp.resolve("tools"));
        for (String tool : new String[] {"bash", "env", "sed", "awk", "head", "tr", "cat", "dirname"}) {
            for (String folder : new String[] {"/usr/bin", "/bin"}) {
                Path program = Path.of(folder, tool);
                if (Files.exists(program) && !Files.exists(tools.resolve(tool))) {
                    Files.createSymbolicLink(tools.resolve(tool), program);
                }
            }
        }
        environment.put("PATH", tools.toString());
    }

    private record Outcome(int exitCode, String out, String err) {}

    private Outcome run(String... arguments) throws Exception {
        Path root = Path.of("").toAbsolutePath().getParent();
        String[] command = new String[arguments.length + 1];
        command[0] = root.resolve("tidegate").toString();
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        ProcessBuilder builder = new ProcessBuilder(command).directory(temp.toFile());
        builder.environment().clear();
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        return new Outcome(process.exitValue(), out.strip(), err.strip());
    }

    /** @param version null for a folder without a release file, whose java tells its version itself */
    private static Path jdk(Path folder, String version) throws IOException {
        Files.createDirectories(folder.resolve("bin"));
        if (version != null) {
            Files.writeString(
                    folder.resolve("release"),
                    "IMPLEMENTOR=\"X\"\nJAVA_VERSION=\"" + version + "\"\nOS_NAME=\"Linux\"\n");
        }
        program(
                folder.resolve("bin/java"),
                "echo '    java.home = " + folder + "' >&2; echo 'openjdk version \"25.0.2\" 2026-01-20' >&2");
        program(folder.resolve("bin/javac"), "");
        return folder;
    }

    private static void program(Path file, String body) throws IOException {
        Files.writeString(file, "#!/bin/sh\n" + body + "\n");
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    @Test
    @DisplayName("of the usual folders the newest JDK wins; numbers are compared as numbers, and a JRE does not count")
    void newestOfTheUsualFolders() throws Exception {
        // given
        jdk(jdks.resolve("a-25.0.9"), "25.0.9");
        Path newest = jdk(jdks.resolve("b with a space"), "25.0.10");
        jdk(jdks.resolve("c-1.8"), "1.8.0_402");
        jdk(jdks.resolve("d-21"), "21.0.1");
        Files.delete(jdk(jdks.resolve("e-jre-27"), "27").resolve("bin/javac"));
        Files.createDirectory(jdks.resolve("f-empty"));
        // then
        assertThat(run("java")).isEqualTo(new Outcome(0, newest.toString(), ""));
    }

    @Test
    @DisplayName("TIDEGATE_JAVA_HOME is first, then JAVA_HOME, then the PATH; one that is too old is passed over")
    void order() throws Exception {
        // given
        Path usual = jdk(jdks.resolve("usual"), "26-ea");
        Path onPath = jdk(temp.resolve("on-path"), "25");
        Path javaHome = jdk(temp.resolve("java-home"), "25.0.1");
        Path ours = jdk(temp.resolve("ours"), null);
        Path old = jdk(temp.resolve("old"), "17.0.15");
        String tools = environment.get("PATH");
        // then
        environment.put("PATH", old.resolve("bin") + ":" + tools);
        assertThat(run("java").out()).isEqualTo(usual.toString());
        environment.put("PATH", onPath.resolve("bin") + ":" + tools);
        assertThat(run("java").out()).isEqualTo(onPath.toString());
        environment.put("JAVA_HOME", old.toString());
        assertThat(run("java").out()).isEqualTo(onPath.toString());
        environment.put("JAVA_HOME", javaHome.toString());
        assertThat(run("java").out()).isEqualTo(javaHome.toString());
        environment.put("TIDEGATE_JAVA_HOME", ours.toString());
        assertThat(run("java").out()).isEqualTo(ours.toString());
    }

    @Test
    @DisplayName("without a JDK that is new enough there is one line, which names what was found")
    void none() throws Exception {
        // then
        assertRefused("no JDK 25 or newer found: install one");
        // and
        jdk(jdks.resolve("old"), "21.0.1");
        assertRefused("only Java 21 in " + jdks.resolve("old"));
        environment.put("TIDEGATE_JAVA_HOME", jdks.resolve("old").toString());
        assertRefused("has Java 21 (expected: JDK 25 or newer)");
        environment.put("TIDEGATE_JAVA_HOME", temp.toString());
        assertRefused("(expected: the folder of a JDK 25 or newer)");
    }

    private void assertRefused(String why) throws Exception {
        Outcome outcome = run("java");
        assertThat(outcome.exitCode()).isEqualTo(2);
        assertThat(outcome.out()).isEmpty();
        assertThat(outcome.err().lines())
                .singleElement()
                .asString()
                .startsWith("tidegate: ")
                .contains(why);
    }

    @Test
    @DisplayName("an unknown command and help")
    void help() throws Exception {
        // then
        assertThat(run("help").out()).contains("backends").contains("TIDEGATE_DATA");
        assertThat(run("frobnicate")).satisfies(outcome -> {
            assertThat(outcome.exitCode()).isEqualTo(2);
            assertThat(outcome.err()).startsWith("tidegate: no command is called frobnicate");
        });
    }
}

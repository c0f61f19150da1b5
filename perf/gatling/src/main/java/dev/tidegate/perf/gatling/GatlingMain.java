package dev.tidegate.perf.gatling;

import dev.tidegate.perf.report.Jvm;
import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Runs one simulation in a JVM of its own (Gatling ends its JVM itself) and writes a result from what it asserts:
 * {@code GatlingMain fan-out --users 200 --rate 50 …}. Exit code as Gatling's: 0 if every assertion holds.
 */
public final class GatlingMain {
    private static final Map<String, Class<?>> SIMULATIONS = new LinkedHashMap<>();

    static {
        SIMULATIONS.put("connect-ramp", ConnectRamp.class);
        SIMULATIONS.put("fan-out", FanOut.class);
        SIMULATIONS.put("sparse", Sparse.class);
        SIMULATIONS.put("publish", PublishOverHttp.class);
        SIMULATIONS.put("storm", Storm.class);
    }

    private static final List<String> FLAGS = List.of(
            "-Xmx1g",
            "-XX:+UseCompactObjectHeaders",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow");

    /** A line like {@code whole: count of successful events is 30.0 : true (actual : 30.0)}. */
    private static final Pattern ASSERTION = Pattern.compile("^(.+) : (true|false) \\((.*)\\)$");

    private static final String USAGE = """
            usage: gatling connect-ramp|fan-out|sparse|publish|storm [--name value]...
              --gateway 127.0.0.1:8080  --ingest http://127.0.0.1:8081  --users N  --channels N  --publishers N  --rate N (events/s)
              --ramp 5 (s)  --duration 10 (s)  --drain 20 (s)  --p99 2000 (ms, bound of every request)
              --name NAME  --results perf/results | none  --reports perf/gatling/target/reports
            exit code: 0 every assertion holds, 1 or 2 not, 64 wrong command line
            """;

    private static final int WRONG_COMMAND_LINE = 64;

    /** What a simulation asserted, and what it found. */
    record Asserted(String what, boolean holds, String found) {}

    /** What is written of a run. */
    record Run(
            String tool,
            String scenario,
            String name,
            boolean exact,
            Provenance provenance,
            List<String> flags,
            Map<String, String> settings,
            List<Asserted> assertions) {}

    private GatlingMain() {}

    public static void main(String[] arguments) throws IOException, InterruptedException {
        System.exit(run(List.of(arguments)));
    }

    private static int run(List<String> words) throws IOException, InterruptedException {
        Class<?> simulation = words.isEmpty() ? null : SIMULATIONS.get(words.getFirst());
        if (simulation == null || words.size() % 2 == 0) {
            System.err.print(USAGE);
            return WRONG_COMMAND_LINE;
        }
        Map<String, String> settings = new LinkedHashMap<>();
        for (int i = 1; i < words.size(); i += 2) {
            if (!words.get(i).startsWith("--")) {
                System.err.println("gatling: " + words.get(i) + " (expected: --name value)");
                return WRONG_COMMAND_LINE;
            }
            settings.put(words.get(i).substring(2), words.get(i + 1));
        }
        String scenario = words.getFirst();
        String name = taken(settings, "name", scenario);
        String results = taken(settings, "results", "perf/results");
        String reports = taken(settings, "reports", "perf/gatling/target/reports");
        List<Asserted> asserted = new ArrayList<>();
        int code = play(simulation, settings, reports, asserted);
        if (!results.equals("none") && !asserted.isEmpty()) {
            Run run = new Run(
                    "gatling", scenario, name, code == 0, Provenance.now(), Jvm.telling(FLAGS), settings, asserted);
            String file = "gatling-" + scenario + (name.equals(scenario) ? "" : "-" + name);
            System.out.println("result: " + ResultFile.write(Path.of(results), file, run));
        }
        return code;
    }

    private static String taken(Map<String, String> settings, String name, String fallback) {
        String value = settings.remove(name);
        return value == null ? fallback : value;
    }

    private static int play(Class<?> simulation, Map<String, String> settings, String reports, List<Asserted> asserted)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(FLAGS);
        settings.forEach((k, v) -> command.add("-Dgatling." + k.toLowerCase(Locale.ROOT) + "=" + v));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), "io.gatling.app.Gatling"));
        command.addAll(List.of("--simulation", simulation.getName(), "--results-folder", reports));
        Process p = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        // Gatling would otherwise live on for as long as its simulation, which nobody waits for any more.
        Runtime.getRuntime().addShutdownHook(new Thread(p::destroy));
        try (var out = p.inputReader(StandardCharsets.UTF_8)) {
            for (String line = out.readLine(); line != null; line = out.readLine()) {
                System.out.println(line);
                Asserted a = assertionOf(line);
                if (a != null) {
                    asserted.add(a);
                }
            }
        }
        return p.waitFor();
    }

    /** Reads one of the lines in which Gatling tells its assertions; null for any other line. */
    static @Nullable Asserted assertionOf(String line) {
        Matcher m = ASSERTION.matcher(line);
        return m.matches()
                ? new Asserted(m.group(1), m.group(2).equals("true"), m.group(3).replace("actual : ", ""))
                : null;
    }
}

package dev.tidegate.perf.jmh;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.CommandLineOptionException;
import org.openjdk.jmh.runner.options.CommandLineOptions;
import org.openjdk.jmh.runner.options.OptionsBuilder;

/**
 * Runs benchmarks with JMH's own command line (a regular expression and its options), always with allocation figures, and
 * writes a result with machine and commit: {@code JmhMain [--results FOLDER|none] [--name NAME] [JMH arguments]}.
 */
public final class JmhMain {
    /** What is written of a run. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Run(String tool, String scenario, String name, Provenance provenance, List<Figure> benchmarks) {}

    /**
     * One benchmark's figure.
     *
     * @param error half the width of the 99.9 % confidence interval; absent with too few iterations for one
     * @param bytesPerOperation allocated
     * @param counters what the benchmark itself counted, per iteration; of a group's other methods their scores, too
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Figure(
            String benchmark,
            Map<String, String> parameters,
            String mode,
            double score,
            @Nullable Double error,
            String unit,
            @Nullable Double bytesPerOperation,
            @Nullable Map<String, Double> counters,
            int forks,
            int iterations) {}

    private JmhMain() {}

    public static void main(String[] arguments) throws IOException, RunnerException {
        List<String> rest = new ArrayList<>(List.of(arguments));
        String folder = take(rest, "--results", "perf/results");
        String name = take(rest, "--name", "jmh");
        Collection<RunResult> results;
        try {
            CommandLineOptions given = new CommandLineOptions(rest.toArray(String[]::new));
            if (given.shouldHelp()) {
                given.showHelp();
                return;
            }
            var options = new OptionsBuilder().parent(given).addProfiler(GCProfiler.class);
            if (given.shouldList()) {
                new Runner(options.build()).list();
                return;
            }
            results = new Runner(options.build()).run();
        } catch (CommandLineOptionException e) {
            System.err.println("jmh: " + e.getMessage());
            System.exit(2);
            return;
        }
        Run run = new Run(
                "jmh",
                "jmh",
                name,
                Provenance.now(),
                results.stream().map(JmhMain::figure).toList());
        if (!folder.equals("none")) {
            System.out.println(
                    "result: " + ResultFile.write(Path.of(folder), name.equals("jmh") ? name : "jmh-" + name, run));
        }
    }

    private static String take(List<String> words, String name, String fallback) {
        int at = words.indexOf(name);
        if (at < 0 || at + 1 == words.size()) {
            return fallback;
        }
        words.remove(at);
        return words.remove(at);
    }

    static Figure figure(RunResult r) {
        Result<?> primary = r.getPrimaryResult();
        Map<String, String> parameters = new LinkedHashMap<>();
        for (String p : r.getParams().getParamsKeys()) {
            parameters.put(p, r.getParams().getParam(p));
        }
        var allocated = r.getSecondaryResults().get("gc.alloc.rate.norm");
        Map<String, Double> counters = new LinkedHashMap<>();
        r.getSecondaryResults().forEach((key, result) -> {
            if (!key.startsWith("gc.")) {
                counters.put(key, result.getScore());
            }
        });
        double error = primary.getScoreError();
        return new Figure(
                r.getParams().getBenchmark(),
                parameters,
                r.getParams().getMode().longLabel(),
                primary.getScore(),
                Double.isNaN(error) ? null : error,
                primary.getScoreUnit(),
                allocated == null ? null : allocated.getScore(),
                counters.isEmpty() ? null : counters,
                r.getParams().getForks(),
                r.getParams().getMeasurement().getCount());
    }
}

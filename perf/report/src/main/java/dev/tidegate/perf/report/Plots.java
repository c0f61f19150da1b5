package dev.tidegate.perf.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import tools.jackson.databind.JsonNode;

/**
 * Draws the plots of docs/performance.md from result files: {@code Plots <results folder> <folder of pictures>}. Of runs
 * of one tool, scenario and name the newest counts. Per scenario a plot of latencies, {@code latency-<scenario>.svg}; of all of
 * them the processor time per delivery, {@code cpu-per-delivery.svg}; of each class of micro-benchmarks
 * {@code jmh-<class>-time.svg} and {@code jmh-<class>-allocation.svg}.
 */
public final class Plots {
    private Plots() {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length != 2) {
            System.err.println("usage: Plots <results folder> <folder of pictures>");
            System.exit(2);
        }
        List<Path> drawn = draw(ResultFile.readAll(Path.of(arguments[0])), Path.of(arguments[1]));
        drawn.forEach(p -> System.out.println("drawn: " + p));
        if (drawn.isEmpty()) {
            System.out.println("nothing to draw: no results in " + arguments[0]);
        }
    }

    /** Draws what these results allow; returns the pictures written. */
    static List<Path> draw(List<ResultFile.Read> results, Path into) throws IOException {
        Map<String, JsonNode> newest = new LinkedHashMap<>();
        for (ResultFile.Read r : results) {
            newest.put(
                    text(r.json(), "tool") + "/" + text(r.json(), "scenario") + "/" + text(r.json(), "name"), r.json());
        }
        Map<String, String> pictures = new TreeMap<>();
        latencies(newest, pictures);
        cpu(newest, pictures);
        benchmarks(newest, pictures);
        List<Path> written = new ArrayList<>();
        for (var picture : pictures.entrySet()) {
            Files.createDirectories(into);
            Path file = into.resolve(picture.getKey() + ".svg");
            Files.writeString(file, picture.getValue());
            written.add(file);
        }
        return written;
    }

    private static void latencies(Map<String, JsonNode> results, Map<String, String> pictures) {
        Map<String, List<LatencyPlot.Series>> byScenario = new TreeMap<>();
        for (JsonNode r : results.values()) {
            for (String kind : List.of("live", "slow", "recovery")) {
                JsonNode percentiles = r.path("latency").path(kind).path("percentiles");
                if (percentiles.isEmpty()) {
                    continue;
                }
                List<LatencyPlot.Point> points = new ArrayList<>();
                for (JsonNode p : percentiles) {
                    points.add(new LatencyPlot.Point(
                            p.path("percentile").asDouble(), p.path("millis").asDouble()));
                }
                byScenario
                        .computeIfAbsent(text(r, "scenario"), s -> new ArrayList<>())
                        .add(new LatencyPlot.Series(label(r) + (kind.equals("live") ? "" : ", " + kind), points));
            }
        }
        byScenario.forEach((scenario, series) ->
                pictures.put("latency-" + scenario, LatencyPlot.draw("Latency, " + scenario, series)));
    }

    private static void cpu(Map<String, JsonNode> results, Map<String, String> pictures) {
        List<BarPlot.Bar> bars = new ArrayList<>();
        for (JsonNode r : results.values()) {
            for (JsonNode p : r.path("processes")) {
                if (p.path("cpuMicrosPerDelivery").asDouble() > 0) {
                    bars.add(new BarPlot.Bar(
                            label(r),
                            text(p, "name"),
                            p.path("cpuMicrosPerDelivery").asDouble()));
                }
            }
        }
        if (!bars.isEmpty()) {
            pictures.put("cpu-per-delivery", BarPlot.draw("Processor time per delivery", "µs", bars));
        }
    }

    /** A class's benchmarks share a picture: they are made to be read side by side, and their sizes fit one scale. */
    private static void benchmarks(Map<String, JsonNode> results, Map<String, String> pictures) {
        Map<String, List<BarPlot.Bar>> time = new TreeMap<>();
        Map<String, List<BarPlot.Bar>> allocation = new TreeMap<>();
        for (JsonNode r : results.values()) {
            for (JsonNode b : r.path("benchmarks")) {
                String[] parts = text(b, "benchmark").split("\\.", -1);
                String owner = parts.length > 1 ? parts[parts.length - 2].replace("Benchmark", "") : "";
                String method = parts[parts.length - 1];
                StringBuilder label = new StringBuilder(method);
                b.path("parameters")
                        .properties()
                        .forEach(p -> label.append(' ').append(p.getValue().asString()));
                if (text(b, "unit").equals("ns/op")) {
                    time.computeIfAbsent(owner, o -> new ArrayList<>())
                            .add(new BarPlot.Bar(
                                    label.toString(), method, b.path("score").asDouble()));
                }
                if (b.has("bytesPerOperation")) {
                    allocation
                            .computeIfAbsent(owner, o -> new ArrayList<>())
                            .add(new BarPlot.Bar(
                                    label.toString(),
                                    method,
                                    b.path("bytesPerOperation").asDouble()));
                }
            }
        }
        time.forEach((owner, bars) -> pictures.put(
                "jmh-" + owner.toLowerCase(Locale.ROOT) + "-time",
                BarPlot.draw(owner + ": time", "ns per operation", bars)));
        allocation.forEach((owner, bars) -> pictures.put(
                "jmh-" + owner.toLowerCase(Locale.ROOT) + "-allocation",
                BarPlot.draw(owner + ": allocation", "bytes per operation", bars)));
    }

    private static String label(JsonNode result) {
        String name = text(result, "name");
        String scenario = text(result, "scenario");
        return name.equals(scenario) ? name : scenario + " " + name;
    }

    private static String text(JsonNode node, String member) {
        return node.path(member).asString("");
    }
}

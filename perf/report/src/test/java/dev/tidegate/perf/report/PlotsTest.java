package dev.tidegate.perf.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PlotsTest {
    @TempDir
    Path folder;

    private static Map<String, Object> result(String name, double p50, double p99, double cpu) {
        return Map.of(
                "tool",
                "swarm",
                "scenario",
                "fanout",
                "name",
                name,
                "latency",
                Map.of(
                        "live",
                        Map.of(
                                "percentiles",
                                List.of(
                                        Map.of("percentile", 50.0, "millis", p50),
                                        Map.of("percentile", 99.0, "millis", p99),
                                        Map.of("percentile", 100.0, "millis", p99)))),
                "processes",
                List.of(Map.of("name", "gateway", "cpuMicrosPerDelivery", cpu)));
    }

    @Test
    void drawsWellFormedPicturesOfTheNewestResultOfEachName() throws Exception {
        // given two runs of one name and one of another
        Path results = folder.resolve("results");
        Files.createDirectories(results);
        var json = new tools.jackson.databind.ObjectMapper();
        Files.writeString(results.resolve("2026-01-01-a.json"), json.writeValueAsString(result("a<1>", 1, 10, 77.7)));
        Files.writeString(results.resolve("2026-01-02-a.json"), json.writeValueAsString(result("a<1>", 2, 20, 5.25)));
        Files.writeString(results.resolve("2026-01-02-b.json"), json.writeValueAsString(result("b", 3, 30, 6.5)));

        // when
        List<Path> drawn = Plots.draw(ResultFile.readAll(results), folder.resolve("pictures"));

        // then
        assertThat(drawn)
                .extracting(p -> p.getFileName().toString())
                .containsExactly("cpu-per-delivery.svg", "latency-fanout.svg");
        for (Path picture : drawn) {
            var svg = DocumentBuilderFactory.newInstance()
                    .newDocumentBuilder()
                    .parse(picture.toFile())
                    .getDocumentElement();
            assertThat(svg.getTagName()).isEqualTo("svg");
        }
        String bars = Files.readString(drawn.get(0));
        assertThat(bars).contains("5.25", "6.50", "fanout a&lt;1&gt;").doesNotContain("77.7");
        String curves = Files.readString(drawn.get(1));
        assertThat(curves.split("<polyline", -1)).hasSize(3);
    }

    @Test
    void aClassOfBenchmarksHasItsPictures() throws Exception {
        // given
        Path results = folder.resolve("results");
        Files.createDirectories(results);
        Map<String, Object> one = Map.of(
                "benchmark",
                "dev.tidegate.perf.jmh.ShardBenchmark.broadcast",
                "parameters",
                Map.of("events", "5"),
                "unit",
                "ns/op",
                "score",
                434.3,
                "bytesPerOperation",
                104.25);
        Files.writeString(
                results.resolve("2026-01-01-jmh.json"),
                new tools.jackson.databind.ObjectMapper()
                        .writeValueAsString(
                                Map.of("tool", "jmh", "scenario", "jmh", "name", "jmh", "benchmarks", List.of(one))));

        // when
        List<Path> drawn = Plots.draw(ResultFile.readAll(results), folder.resolve("pictures"));

        // then
        assertThat(drawn)
                .extracting(p -> p.getFileName().toString())
                .containsExactly("jmh-shard-allocation.svg", "jmh-shard-time.svg");
        assertThat(Files.readString(drawn.get(1))).contains("broadcast 5", ">434<");
    }

    @Test
    void higherLatencyIsDrawnHigher() {
        // given
        var fast = new LatencyPlot.Series("fast", List.of(new LatencyPlot.Point(50, 1)));
        var slow = new LatencyPlot.Series("slow", List.of(new LatencyPlot.Point(50, 100)));

        // when
        String svg = LatencyPlot.draw("t", List.of(fast, slow));

        // then
        List<Double> heights = java.util.regex.Pattern.compile("points=\"[0-9.]+,([0-9.]+)\"")
                .matcher(svg)
                .results()
                .map(m -> Double.valueOf(m.group(1)))
                .toList();
        assertThat(heights).hasSize(2);
        assertThat(heights.get(1)).isLessThan(heights.get(0));
    }

    @Test
    void withoutResultsNothingIsDrawn() throws Exception {
        // given a folder that does not exist
        Path nowhere = folder.resolve("nowhere");

        // when
        List<Path> drawn = Plots.draw(ResultFile.readAll(nowhere), folder.resolve("pictures"));

        // then
        assertThat(drawn).isEmpty();
    }
}

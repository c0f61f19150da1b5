package dev.tidegate.perf.deep;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tidegate.perf.jmh.MeasuredTopic;
import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How fast a replay service archives: a topic of small events that all are to be kept, written before the service starts, so that
 * it writes as fast as it and PostgreSQL can. A tenth of them is the warm-up. In the end the archive must hold every one of them:
 * {@code ./tidegate perf archive [--records 1000000] [--postgres-pid PID] …}.
 */
public final class ArchiveRun {
    private static final int PARTITIONS = 16;
    private static final int CHANNELS = 5_000;
    private static final int PAYLOAD = 100;

    /**
     * What is written.
     *
     * @param measured events archived in the time that was measured
     * @param replayCpuMicros the service's processor time for each of them: reading Kafka and writing PostgreSQL
     * @param postgresCpuMicros PostgreSQL's, all its processes
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Run(
            String tool,
            String scenario,
            String name,
            Provenance provenance,
            long records,
            double measured,
            double recordsPerSecond,
            double recordsPerBatch,
            double replayCpuMicros,
            @Nullable Double postgresCpuMicros) {}

    private ArchiveRun() {}

    public static void main(String[] arguments) throws Exception {
        Options options;
        try {
            options = Options.parse(List.of(arguments), "archive", 1_000_000);
            if (options.postgres() == null) {
                throw new Options.Wrong("--postgres: none (expected: a database)");
            }
        } catch (Options.Wrong e) {
            System.err.println("archive: " + e.getMessage());
            System.exit(2);
            return;
        }
        String name = "perf-archive-" + Long.toString(System.currentTimeMillis(), 36);
        try (MeasuredTopic topic = new MeasuredTopic(options.kafka(), name, PARTITIONS)) {
            try {
                run(options, topic, options.postgres());
            } finally {
                ArchivedRows.delete(options.postgres(), topic.epoch());
            }
        }
    }

    private static void run(Options options, MeasuredTopic topic, String postgres) throws Exception {
        byte[] payload = new byte[PAYLOAD];
        Arrays.fill(payload, (byte) 'x');
        payload[0] = '"';
        payload[PAYLOAD - 1] = '"';
        topic.write(options.records(), i -> new MeasuredTopic.Written("deep:" + i % CHANNELS, payload));
        long warmUp = options.records() / 10;
        try (ReplayProcess replay = new ReplayProcess(
                options,
                topic.name(),
                List.of("postgres.url=" + postgres, "namespaces.deep.archive=true", "replay.recent.fill=false"))) {
            ReplayProcess.await("the first batches", () -> replay.metric("archive_events_total") >= warmUp);
            double events = replay.metric("archive_events_total");
            double batches = replay.metric("archive_batches_total");
            double cpu = replay.cpuSeconds();
            double postgresCpu = postgresCpu(options);
            long begun = System.nanoTime();
            ReplayProcess.await("the archive", () -> replay.metric("archive_events_total") >= options.records());
            double seconds = (System.nanoTime() - begun) / 1e9;
            double measured = options.records() - events;
            long kept = ArchivedRows.count(postgres, topic.epoch());
            if (kept != options.records()) {
                throw new IllegalStateException("the archive holds " + kept + " of " + options.records());
            }
            Run run = new Run(
                    "archive",
                    "archive",
                    options.name(),
                    Provenance.now(),
                    options.records(),
                    measured,
                    DeepRun.round(measured / seconds),
                    DeepRun.round(measured / (replay.metric("archive_batches_total") - batches)),
                    DeepRun.round((replay.cpuSeconds() - cpu) * 1e6 / measured),
                    options.postgresPid() == 0
                            ? null
                            : DeepRun.round((postgresCpu(options) - postgresCpu) * 1e6 / measured));
            System.out.println(run);
            if (!options.results().equals("none")) {
                System.out.println("result: " + ResultFile.write(Path.of(options.results()), options.name(), run));
            }
        }
    }

    /** Of the process named and all that it has started. */
    private static double postgresCpu(Options options) {
        return ProcessHandle.of(options.postgresPid()).stream()
                .flatMap(p -> java.util.stream.Stream.concat(java.util.stream.Stream.of(p), p.descendants()))
                .mapToDouble(ReplayProcess::cpuSeconds)
                .sum();
    }
}

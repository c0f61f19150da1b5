package dev.tidegate.perf.deep;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tidegate.perf.jmh.MeasuredTopic;
import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Replay;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeoutException;

/**
 * Resuming deep in a huge topic. One partition of many records, in which each of a thousand channels has one event in 100,000 records;
 * their clients come back after having missed the five newest, so half a million records lie between them and the end. The same from
 * memory, from the archive, and from Kafka alone: one client after the other, then all at once, as a gateway asks: eight calls at a
 * time. Every answer is checked. Starts its own replay services against a running Kafka and PostgreSQL:
 * {@code ./tidegate perf deep [--records 10000000] [--clients 1000] …}.
 */
public final class DeepRun {
    private static final int INTERVAL = 100_000;
    private static final int CHANNELS = 1_000;
    private static final int MISSED = 5;
    private static final int OTHERS = 5_000;
    private static final int PAYLOAD = 100;

    /** Calls that a gateway has under way at once, as shipped. */
    private static final int CALLS = 8;

    /** How often all come at once: the first time little of the way that they share is compiled. */
    private static final int ROUNDS = 5;

    /**
     * One client after the other.
     *
     * @param millis of a client, median
     * @param ratio of that to the first tier's
     * @param recordsRead of Kafka, for each client
     * @param pagesRead of the archive, for each client
     */
    record Single(
            String tier,
            int clients,
            double millis,
            double p99Millis,
            double ratio,
            double recordsRead,
            double pagesRead) {}

    /**
     * All at once.
     *
     * @param round the first one counts from 1
     * @param seconds until the last one had all
     * @param calls that were made
     * @param timesRead how often the partition was read from Kafka
     * @param recordsRead of Kafka in all, as a multiple of what lies between the earliest of them and the end
     * @param pagesRead of the archive
     * @param queries for them
     * @param cpuMicrosPerClient of the replay service
     */
    record Crowd(
            String tier,
            int round,
            int clients,
            double seconds,
            int calls,
            double timesRead,
            double recordsRead,
            double pagesRead,
            double queries,
            double cpuMicrosPerClient) {}

    /** What is written. */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Run(
            String tool,
            String scenario,
            String name,
            Provenance provenance,
            long records,
            int recordsBetweenEvents,
            int missed,
            List<Single> oneAfterTheOther,
            List<Crowd> atOnce) {}

    private final Options options;
    private final MeasuredTopic topic;
    private final List<Single> singles = new ArrayList<>();
    private final List<Crowd> crowds = new ArrayList<>();

    private DeepRun(Options options, MeasuredTopic topic) {
        this.options = options;
        this.topic = topic;
    }

    public static void main(String[] arguments) throws Exception {
        Options options;
        try {
            options = Options.parse(List.of(arguments), "deep", 10_000_000);
            if (options.records() < (MISSED + 1L) * INTERVAL) {
                throw new Options.Wrong(
                        "--records: " + options.records() + " (expected: at least " + (MISSED + 1L) * INTERVAL + ")");
            }
        } catch (Options.Wrong e) {
            System.err.println("deep: " + e.getMessage());
            System.exit(2);
            return;
        }
        String name = "perf-deep-" + Long.toString(System.currentTimeMillis(), 36);
        try (MeasuredTopic topic = new MeasuredTopic(options.kafka(), name, 1)) {
            try {
                new DeepRun(options, topic).run();
            } finally {
                if (options.postgres() != null) {
                    ArchivedRows.delete(options.postgres(), topic.epoch());
                }
            }
        }
    }

    private void run() throws Exception {
        System.out.println("writing " + options.records() + " records");
        topic.write(options.records(), DeepRun::record);
        memoryAndArchive();
        List<String> kafkaAlone = List.of("postgres.url=", "replay.recent.fill=false", "namespaces.deep.recent=false");
        try (ReplayProcess replay = new ReplayProcess(options, topic.name(), kafkaAlone)) {
            measure(replay, Replay.Tier.KAFKA, 5, 25);
        }
        Run run = new Run(
                "deep", "deep", options.name(), Provenance.now(), options.records(), INTERVAL, MISSED, singles, crowds);
        singles.forEach(System.out::println);
        crowds.forEach(System.out::println);
        if (!options.results().equals("none")) {
            System.out.println("result: " + ResultFile.write(Path.of(options.results()), options.name(), run));
        }
    }

    private void memoryAndArchive() throws Exception {
        String postgres = options.postgres();
        if (postgres == null) {
            try (ReplayProcess replay =
                    new ReplayProcess(options, topic.name(), List.of("postgres.url=", "namespaces.deep.recent=true"))) {
                measure(replay, Replay.Tier.MEMORY, 2_000, 500);
            }
            return;
        }
        String url = "postgres.url=" + postgres;
        String archive = "namespaces.deep.archive=true";
        try (ReplayProcess replay = new ReplayProcess(options, topic.name(), List.of(url, archive))) {
            awaitArchived(replay);
            measure(replay, Replay.Tier.MEMORY, 2_000, 500);
        }
        try (ReplayProcess replay = new ReplayProcess(
                options,
                topic.name(),
                List.of(url, archive, "replay.recent.fill=false", "namespaces.deep.recent=false"))) {
            awaitArchived(replay);
            measure(replay, Replay.Tier.ARCHIVE, 2_000, 500);
        }
    }

    private static void awaitArchived(ReplayProcess replay) throws InterruptedException, TimeoutException {
        ReplayProcess.await(
                "the archive", () -> replay.metric("archive_partitions") == 1 && replay.metric("archive_lag") == 0);
        Thread.sleep(1_500); // what is covered is asked for once a second
    }

    // ---- the topic

    /** Record i: the k-th event of channel c stands at k x INTERVAL + c x INTERVAL / CHANNELS. */
    private static MeasuredTopic.Written record(long i) {
        int step = INTERVAL / CHANNELS;
        if (i % step == 0) {
            return new MeasuredTopic.Written(channel((int) (i / step % CHANNELS)), payload(i / INTERVAL));
        }
        return new MeasuredTopic.Written("other-" + i % OTHERS, payload(i));
    }

    private static String channel(int c) {
        return "deep:" + c;
    }

    private static byte[] payload(long n) {
        byte[] out = new byte[PAYLOAD];
        Arrays.fill(out, (byte) 'x');
        byte[] head = ("{\"n\":" + n + ",\"pad\":\"").getBytes(US_ASCII);
        System.arraycopy(head, 0, out, 0, head.length);
        out[PAYLOAD - 2] = '"';
        out[PAYLOAD - 1] = '}';
        return out;
    }

    private long offset(int c, long k) {
        return k * INTERVAL + (long) c * (INTERVAL / CHANNELS);
    }

    /** Events of a channel. */
    private long events(int c) {
        return (options.records() - 1 - offset(c, 0)) / INTERVAL + 1;
    }

    // ---- a client

    /** A client of channel c that has all but the last five events; it asks until it has them. */
    private final class Missing {
        private final int c;
        private long position;
        private long next;
        private boolean complete;

        Missing(int c) {
            this.c = c;
            this.next = events(c) - MISSED;
            this.position = offset(c, next - 1);
        }

        Replay.Request request() {
            return new Replay.Request(
                    ChannelName.parse(channel(c)),
                    new Cursor(topic.epoch(), 0, position),
                    -1,
                    topic.epoch(),
                    0,
                    options.records() - 1,
                    1_000);
        }

        void take(Replay.Line.Event event) {
            if (event.cursor().offset() != offset(c, next) || event.prev() > position) {
                throw new IllegalStateException("channel " + c + ": " + event.cursor() + " with prev " + event.prev()
                        + " after " + position + " (expected: " + offset(c, next) + ")");
            }
            position = event.cursor().offset();
            next++;
        }

        void end(Replay.End end, Replay.Tier tier) {
            if (end.error() != null || end.gap() != null || end.tier() != tier) {
                throw new IllegalStateException("channel " + c + ": " + end + " (expected: tier " + tier + ")");
            }
            position = end.cursor().offset();
            complete = end.complete();
            if (complete && next != events(c)) {
                throw new IllegalStateException("channel " + c + ": complete at event " + next + " of " + events(c));
            }
        }
    }

    private static void ask(ReplayProcess replay, List<Missing> clients, Replay.Tier tier)
            throws IOException, InterruptedException {
        int at = 0;
        for (Replay.Line line :
                replay.replay(clients.stream().map(Missing::request).toList())) {
            switch (line) {
                case Replay.Line.Event e -> clients.get(at).take(e);
                case Replay.Line.Ended e -> clients.get(at++).end(e.end(), tier);
                case Replay.Line.GapLine g -> throw new IllegalStateException("a gap was told: " + g);
            }
        }
        if (at != clients.size()) {
            throw new IllegalStateException(at + " of " + clients.size() + " requests were answered");
        }
    }

    // ---- measuring

    private void measure(ReplayProcess replay, Replay.Tier tier, int warmUp, int clients) throws Exception {
        System.out.println("tier " + tier.wire());
        single(replay, tier, warmUp);
        singles.add(single(replay, tier, clients));
        for (int round = 1; round <= ROUNDS; round++) {
            crowds.add(crowd(replay, tier, round));
        }
    }

    private Single single(ReplayProcess replay, Replay.Tier tier, int clients)
            throws IOException, InterruptedException {
        double records = replay.metric("scan_records_total");
        double pages = replay.metric("archive_reads_total");
        double[] millis = new double[clients];
        for (int i = 0; i < clients; i++) {
            Missing client = new Missing((int) (i * 7919L % CHANNELS));
            long begun = System.nanoTime();
            while (!client.complete) {
                ask(replay, List.of(client), tier);
            }
            millis[i] = (System.nanoTime() - begun) / 1e6;
        }
        Arrays.sort(millis);
        double median = millis[clients / 2];
        return new Single(
                tier.wire(),
                clients,
                round(median),
                round(millis[(int) (clients * 0.99)]),
                singles.isEmpty() ? 1 : round(median / singles.getFirst().millis()),
                round((replay.metric("scan_records_total") - records) / clients),
                round((replay.metric("archive_reads_total") - pages) / clients));
    }

    private Crowd crowd(ReplayProcess replay, Replay.Tier tier, int round) throws Exception {
        double records = replay.metric("scan_records_total");
        double scans = replay.metric("scan_scans_total");
        double pages = replay.metric("archive_reads_total");
        double queries = replay.metric("archive_queries_total");
        double cpu = replay.cpuSeconds();
        List<List<Missing>> shares = new ArrayList<>();
        for (int i = 0; i < CALLS; i++) {
            shares.add(new ArrayList<>());
        }
        for (int c = 0; c < options.clients(); c++) {
            shares.get(c % CALLS).add(new Missing(c));
        }
        shares.removeIf(List::isEmpty);
        int calls = 0;
        long begun = System.nanoTime();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Integer>> work = shares.stream()
                    .map(share -> (Callable<Integer>) () -> untilComplete(replay, share, tier))
                    .toList();
            for (Future<Integer> one : threads.invokeAll(work)) {
                calls += get(one);
            }
        }
        double seconds = (System.nanoTime() - begun) / 1e9;
        double span = options.records() - offset(0, events(0) - MISSED - 1);
        return new Crowd(
                tier.wire(),
                round,
                options.clients(),
                round(seconds),
                calls,
                replay.metric("scan_scans_total") - scans,
                round((replay.metric("scan_records_total") - records) / span),
                replay.metric("archive_reads_total") - pages,
                replay.metric("archive_queries_total") - queries,
                round((replay.cpuSeconds() - cpu) * 1e6 / options.clients()));
    }

    private static int untilComplete(ReplayProcess replay, List<Missing> share, Replay.Tier tier)
            throws IOException, InterruptedException {
        int calls = 0;
        List<Missing> left = share;
        while (!left.isEmpty()) {
            ask(replay, left, tier);
            calls++;
            left = left.stream().filter(m -> !m.complete).toList();
        }
        return calls;
    }

    private static <T> T get(Future<T> of) throws Exception {
        try {
            return of.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }

    static double round(double v) {
        return Math.round(v * 1000) / 1000.0;
    }
}

package dev.tidegate.perf.swarm;

import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.HdrHistogram.Histogram;

/**
 * The parent of a run: starts the children, publishes, disturbs, samples, judges. Everything it waits for has an end, so a
 * run has one: the time to connect, the warm-up, the duration and the drain, each with its own bound.
 */
final class Coordinator {
    /** Beside the time that the connect rate asks for. */
    private static final double CONNECT_SLACK_SECONDS = 60;

    /** For what is done at once: a command's answer, the producers' last acknowledgements. */
    private static final double PROMPT_SECONDS = 60;

    /** Between the last subscription and the first event or sample, for the processes to come to rest. */
    private static final long SETTLE_MILLIS = 1_500;

    private final Settings settings;
    private final PrintStream out;
    private final List<ChildProcess> children = new ArrayList<>();
    private final List<Probe> probes;
    private final Published published;
    private final long wallOffset = wallOffset();
    private final List<Marks> marks = new ArrayList<>();
    private int expectation;

    /** What was read of a sampled process, by the way. */
    private static final class Marks {
        final List<Long> rss = new ArrayList<>();
        final List<Long> heap = new ArrayList<>();
        double connectCpu;
        double cpu;
        double recoveryCpu;
        long allocated;
    }

    private double hostBusy;
    private double measuredSeconds;
    private double storm = -1;
    private double missed;
    private boolean incomplete;

    Coordinator(Settings settings, PrintStream out) {
        this.settings = settings;
        this.out = out;
        this.published = new Published(settings.load().channels());
        this.probes = settings.pids().stream().map(Probe::new).toList();
        probes.forEach(p -> marks.add(new Marks()));
    }

    /** Wall clock minus the monotonic one, in nanoseconds: read several times, since a thread may pause between the two. */
    private static long wallOffset() {
        long best = Long.MAX_VALUE;
        long offset = 0;
        for (int i = 0; i < 50; i++) {
            long before = System.nanoTime();
            var now = java.time.Instant.now();
            long after = System.nanoTime();
            if (after - before < best) {
                best = after - before;
                offset = now.getEpochSecond() * 1_000_000_000L + now.getNano() - (before + after) / 2;
            }
        }
        return offset;
    }

    /** Runs; returns the exit code. */
    int run() throws Exception {
        out.println(Summary.of(settings));
        try (Sampler sampler = new Sampler(probes);
                Publisher publisher = Publisher.of(settings, published, wallOffset)) {
            if (settings.inspect()) {
                for (Probe p : probes) {
                    p.attach();
                }
            }
            mark(settings.scenario() == Settings.Scenario.IDLE);
            double openedIn = connect();
            Thread.sleep(SETTLE_MILLIS);
            int ready = readyCount();
            publishAll(publisher);
            mark(false);
            Result result = result(openedIn, ready, finish(), sampler);
            Summary.of(result).forEach(out::println);
            if (!settings.results().equals("none")) {
                out.println("result: "
                        + ResultFile.write(Path.of(settings.results()), result.scenario() + nameOf(result), result));
            }
            return result.exact() ? SwarmMain.EXACT : SwarmMain.NOT_EXACT;
        } finally {
            children.forEach(ChildProcess::close);
            probes.forEach(Probe::close);
        }
    }

    private static String nameOf(Result r) {
        return r.name().equals(r.scenario()) ? "" : "-" + r.name();
    }

    /** Notes memory; and, where it may cost a collection, the live heap. */
    private void mark(boolean heap) throws InterruptedException {
        for (int i = 0; i < probes.size(); i++) {
            if (heap && settings.inspect()) {
                marks.get(i).heap.add(probes.get(i).liveHeapBytes());
            }
            marks.get(i).rss.add(probes.get(i).rssKiB());
        }
    }

    // ---- connecting

    private double connect() throws Exception {
        int n = settings.load().connections();
        int processes = (n + settings.load().perProcess() - 1) / settings.load().perProcess();
        for (int i = 0; i < processes; i++) {
            children.add(new ChildProcess(i));
        }
        double[] cpu = cpu();
        for (int i = 0; i < processes; i++) {
            int first = (int) ((long) n * i / processes);
            int count = (int) ((long) n * (i + 1) / processes) - first;
            children.get(i).send(new Wire.Command.Start(settings, first, count, (double) count / n, wallOffset));
        }
        double patience = n / settings.load().connectRate() + CONNECT_SLACK_SECONDS;
        await(allOf(children.stream().map(ChildProcess::ready).toList()), patience, "connections are not ready");
        double openedIn = children.stream()
                .mapToDouble(c -> c.ready().join().seconds())
                .max()
                .orElse(0);
        for (int i = 0; i < probes.size(); i++) {
            marks.get(i).connectCpu = probes.get(i).cpuSeconds() - cpu[i];
        }
        out.println("ready: " + readyCount() + " of " + n + " in " + round(openedIn) + " s");
        return openedIn;
    }

    private int readyCount() {
        return children.stream().mapToInt(c -> c.ready().join().ready()).sum();
    }

    // ---- publishing and disturbing

    private void publishAll(Publisher publisher) throws Exception {
        Settings.Publishing p = settings.publishing();
        if (p.way() == Settings.Way.NONE) {
            long begun = System.nanoTime();
            double[] cpu = cpu();
            double busy = hostBusySeconds();
            Thread.sleep((long) (p.duration() * 1000));
            measured(begun, cpu, busy, allocated());
            mark(settings.scenario() == Settings.Scenario.IDLE);
            return;
        }
        mark(false);
        if (p.warmup() > 0) {
            PublishRun warm = publishRun(publisher, p.warmup());
            await(warm, p.warmup());
            await(expect(published.counts()), settings.rules().drain(), "warm-up events have not come");
        }
        sendAll(new Wire.Command.Measure());
        published.acknowledgement.reset();
        published.lag.reset();
        long begun = System.nanoTime();
        double[] cpu = cpu();
        double busy = hostBusySeconds();
        long[] allocated = allocated();
        PublishRun run = publishRun(publisher, p.duration());
        try {
            disturb(run);
            await(run, p.duration());
        } finally {
            run.stop();
        }
        awaitAcknowledgements();
        try {
            await(expect(published.counts()), settings.rules().drain(), "events have not come");
        } catch (TimeoutException e) {
            incomplete = true; // what is lacking is told by the accounts
        }
        measured(begun, cpu, busy, allocated);
    }

    private PublishRun publishRun(Publisher publisher, double seconds) {
        return new PublishRun(
                publisher,
                published,
                settings.load().channels(),
                settings.publishing().rate(),
                seconds,
                settings.seed());
    }

    private void disturb(PublishRun run) throws Exception {
        Settings.Disturbance d = settings.disturbance();
        switch (settings.scenario()) {
            case STORM -> {
                Thread.sleep((long) (d.at() * 1000));
                storm(run, d);
            }
            case SLOW -> {
                Thread.sleep((long) (d.at() * 1000));
                sendAll(new Wire.Command.Slow(true));
                Thread.sleep((long) (d.slowFor() * 1000));
                sendAll(new Wire.Command.Slow(false));
            }
            case IDLE, FANOUT, SPARSE -> {
                // undisturbed
            }
        }
    }

    private void storm(PublishRun run, Settings.Disturbance d) throws Exception {
        long before = published.attempted();
        sendAll(new Wire.Command.Cut(d.kill() == 0));
        if (d.kill() != 0) {
            ProcessHandle.of(d.kill()).ifPresent(ProcessHandle::destroyForcibly);
        }
        long back = System.nanoTime() + d.away() * 1_000_000L;
        if (d.awayEvents() > 0) {
            await(run.burst(d.awayEvents()), PROMPT_SECONDS, "the events of the storm are not published");
        }
        Thread.sleep(Math.max(0, (back - System.nanoTime()) / 1_000_000));
        missed = (double) (published.attempted() - before) / settings.load().channels();
        double[] cpu = cpu();
        long begun = System.nanoTime();
        int id = ++expectation;
        int[] counts = published.counts();
        sendAll(new Wire.Command.Reopen(id, counts));
        double patience =
                settings.load().connections() / d.rate() + settings.rules().drain();
        try {
            await(wholeOf(id), patience, "connections are not whole after the storm");
            storm = (System.nanoTime() - begun) / 1e9;
        } catch (TimeoutException e) {
            incomplete = true;
        }
        for (int i = 0; i < probes.size(); i++) {
            marks.get(i).recoveryCpu = probes.get(i).cpuSeconds() - cpu[i];
        }
    }

    private void awaitAcknowledgements() throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + (long) (PROMPT_SECONDS * 1e9);
        while (!published.settled()) {
            if (System.nanoTime() > deadline) {
                throw new TimeoutException("events are not acknowledged: " + published.attempted() + " published, "
                        + published.acknowledged() + " acknowledged, " + published.failed() + " failed");
            }
            Thread.sleep(10);
        }
    }

    private CompletableFuture<Void> expect(int[] counts) throws IOException {
        int id = ++expectation;
        sendAll(new Wire.Command.Expect(id, counts));
        return wholeOf(id);
    }

    private CompletableFuture<Void> wholeOf(int id) {
        return allOf(children.stream().map(c -> c.wholeOf(id)).toList());
    }

    private void sendAll(Wire.Command command) throws IOException {
        for (ChildProcess c : children) {
            c.send(command);
        }
    }

    // ---- measuring

    private double[] cpu() {
        return probes.stream().mapToDouble(Probe::cpuSeconds).toArray();
    }

    private long[] allocated() {
        return probes.stream().mapToLong(Probe::allocatedBytes).toArray();
    }

    private void measured(long begun, double[] cpu, double busy, long[] allocated) {
        measuredSeconds = (System.nanoTime() - begun) / 1e9;
        hostBusy = hostBusySeconds() - busy;
        for (int i = 0; i < probes.size(); i++) {
            marks.get(i).cpu = probes.get(i).cpuSeconds() - cpu[i];
            marks.get(i).allocated = probes.get(i).allocatedBytes() - allocated[i];
        }
    }

    /** Processor time that the machine has spent on anything, from {@code /proc/stat}; 0 where there is none. */
    private static double hostBusySeconds() {
        try {
            String line =
                    java.nio.file.Files.readAllLines(Path.of("/proc/stat")).getFirst();
            String[] f = line.strip().split("\\s+", -1);
            long ticks = 0;
            for (int i : new int[] {1, 2, 3, 6, 7}) { // user, nice, system, irq, softirq
                ticks += Long.parseLong(f[i]);
            }
            return ticks / 100.0; // the kernel tells them in hundredths of a second on every architecture
        } catch (IOException e) {
            return 0;
        }
    }

    private List<Wire.Report.Final> finish() throws Exception {
        sendAll(new Wire.Command.Finish(published.counts(), published.failures()));
        await(allOf(children.stream().map(ChildProcess::end).toList()), PROMPT_SECONDS, "a child gives no account");
        return children.stream().map(c -> c.end().join()).toList();
    }

    // ---- the result

    private Result result(double openedIn, int ready, List<Wire.Report.Final> finals, Sampler sampler) {
        Accounts accounts = new Accounts();
        finals.forEach(f -> accounts.add(f.accounts()));
        Histogram live = merge(finals.stream().map(Wire.Report.Final::live).toList());
        Histogram slow = merge(finals.stream().map(Wire.Report.Final::slow).toList());
        Histogram replay = merge(finals.stream().map(Wire.Report.Final::replay).toList());
        Histogram recovery =
                merge(finals.stream().map(Wire.Report.Final::recovery).toList());
        int readyAtEnd = finals.stream().mapToInt(Wire.Report.Final::ready).sum();
        double clientCpu =
                finals.stream().mapToDouble(Wire.Report.Final::cpuSeconds).sum();
        long deliveries = live.getTotalCount() + slow.getTotalCount() + replay.getTotalCount();
        List<String> faults = Verdict.faults(settings, accounts, published, readyAtEnd, incomplete);
        boolean stormy = settings.scenario() == Settings.Scenario.STORM;
        return new Result(
                "swarm",
                settings.scenario().name().toLowerCase(Locale.ROOT),
                settings.name(),
                faults.isEmpty(),
                faults,
                Provenance.now(),
                settings.withoutSecrets(),
                new Result.Connections(
                        settings.load().connections(), ready, readyAtEnd, round(openedIn), round(ready / openedIn)),
                new Result.Publishing(
                        published.attempted(),
                        published.acknowledged(),
                        published.failed(),
                        Histograms.summary(published.acknowledgement),
                        Histograms.summary(published.lag),
                        published.examples()),
                accounts,
                new Result.Measured(
                        round(measuredSeconds),
                        deliveries,
                        round(deliveries / measuredSeconds),
                        round(hostBusy - marks.stream().mapToDouble(m -> m.cpu).sum() - clientCpu)),
                new Result.Latency(
                        Histograms.summary(live),
                        settings.scenario() == Settings.Scenario.SLOW ? Histograms.summary(slow) : null,
                        Histograms.summary(replay),
                        Histograms.summary(merge(
                                finals.stream().map(Wire.Report.Final::connect).toList())),
                        stormy ? Histograms.summary(recovery) : null),
                processes(deliveries, ready, recovery.getTotalCount()),
                new Result.Client(finals.size(), finals.getFirst().transport(), ChildProcess.flags(), round(clientCpu)),
                stormy ? new Result.Storm(recovery.getTotalCount(), round(missed), round(storm)) : null,
                sampler.samples());
    }

    private List<Result.Sampled> processes(long deliveries, int ready, long recovered) {
        List<Result.Sampled> out = new ArrayList<>();
        for (int i = 0; i < probes.size(); i++) {
            Probe p = probes.get(i);
            Marks m = marks.get(i);
            boolean heap = m.heap.size() > 1;
            out.add(new Result.Sampled(
                    p.name(),
                    p.flags(),
                    round(m.cpu),
                    per(m.cpu * 1e6, deliveries),
                    per(m.connectCpu * 1e6, ready),
                    recovered > 0 ? per(m.recoveryCpu * 1e6, recovered) : null,
                    settings.inspect() && deliveries > 0 ? per((double) m.allocated, deliveries) : null,
                    m.rss,
                    m.rss.size() > 1 && ready > 0 ? (m.rss.get(1) - m.rss.get(0)) * 1024 / ready : 0,
                    heap ? m.heap : null,
                    heap && ready > 0 ? (m.heap.get(1) - m.heap.get(0)) / ready : null));
        }
        return out;
    }

    private static double per(double amount, long n) {
        return n == 0 ? 0 : round(amount / n);
    }

    private static double round(double v) {
        return Math.round(v * 1000) / 1000.0;
    }

    private static Histogram merge(List<String> encoded) {
        Histogram out = Histograms.create();
        encoded.forEach(e -> out.add(Histograms.decode(e)));
        return out;
    }

    // ---- waiting

    private static <T> CompletableFuture<Void> allOf(List<CompletableFuture<T>> futures) {
        return CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new));
    }

    private static void await(PublishRun run, double seconds) throws Exception {
        run.await(seconds + PROMPT_SECONDS);
    }

    private static void await(CompletableFuture<?> f, double seconds, String otherwise)
            throws InterruptedException, TimeoutException, IOException {
        try {
            var _ = f.get((long) (seconds * 1000), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new TimeoutException(otherwise + " after " + Math.round(seconds) + " s");
        } catch (ExecutionException e) {
            throw new IOException(String.valueOf(e.getCause()), e);
        }
    }
}

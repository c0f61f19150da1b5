package dev.tidegate.perf.swarm;

import dev.tidegate.perf.report.ResultFile;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

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
    private final Meters meters;
    private final Published published;
    private final long wallOffset = wallOffset();
    private int expectation;

    // Found on the way:
    private double openedIn;
    private int ready;
    private double lastWhole = -1;
    private double missed;
    private boolean incomplete;

    Coordinator(Settings settings, PrintStream out) {
        this.settings = settings;
        this.out = out;
        this.published = new Published(settings.load().channels());
        this.meters = new Meters(settings, children);
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
        try (Sampler sampler = new Sampler(meters.probes());
                Publisher publisher = Publisher.of(settings, published, wallOffset)) {
            meters.attach();
            meters.mark();
            connect();
            Thread.sleep(SETTLE_MILLIS);
            if (settings.publishing().way() == Settings.Way.NONE) {
                stayIdle();
            } else {
                meters.mark();
                publish(publisher);
            }
            List<Wire.Report.Final> finals = finish();
            meters.mark();
            Result result = Result.of(settings, finals, published, meters, outcome(), sampler.samples());
            Summary.of(result).forEach(out::println);
            if (!settings.results().equals("none")) {
                out.println("result: "
                        + ResultFile.write(Path.of(settings.results()), result.scenario() + nameOf(result), result));
            }
            return result.exact() ? SwarmMain.EXACT : SwarmMain.NOT_EXACT;
        } finally {
            children.forEach(ChildProcess::close);
            meters.close();
        }
    }

    private Result.Outcome outcome() {
        return new Result.Outcome(openedIn, ready, missed, lastWhole, incomplete);
    }

    private static String nameOf(Result r) {
        return r.name().equals(r.scenario()) ? "" : "-" + r.name();
    }

    // ---- connecting

    private void connect() throws Exception {
        int n = settings.load().connections();
        int processes = (n + settings.load().perProcess() - 1) / settings.load().perProcess();
        for (int i = 0; i < processes; i++) {
            children.add(new ChildProcess(i));
        }
        double[] cpu = meters.cpu();
        for (int i = 0; i < processes; i++) {
            int first = (int) ((long) n * i / processes);
            int count = (int) ((long) n * (i + 1) / processes) - first;
            children.get(i).send(new Wire.Command.Start(settings, first, count, (double) count / n, wallOffset));
        }
        double patience = n / settings.load().connectRate() + CONNECT_SLACK_SECONDS;
        await(allOf(children.stream().map(ChildProcess::ready).toList()), patience, "connections are not ready");
        for (ChildProcess c : children) {
            openedIn = Math.max(openedIn, c.ready().join().seconds());
            ready += c.ready().join().ready();
        }
        meters.connected(cpu);
        out.println("ready: " + ready + " of " + n + " in " + Result.round(openedIn) + " s");
    }

    // ---- publishing and disturbing

    private void stayIdle() throws InterruptedException {
        Meters.Window window = meters.new Window();
        Thread.sleep((long) (settings.publishing().duration() * 1000));
        window.end();
        meters.mark();
    }

    private void publish(Publisher publisher) throws Exception {
        Settings.Publishing p = settings.publishing();
        if (p.warmup() > 0) {
            PublishRun warmup = publishRun(publisher, p.warmup());
            try {
                await(warmup, p.warmup());
            } finally {
                warmup.stop();
            }
            await(expect(published.counts()), settings.rules().drain(), "warm-up events have not come");
        }
        sendAll(new Wire.Command.Measure());
        published.acknowledgement.reset();
        published.lag.reset();
        Meters.Window window = meters.new Window();
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
        window.end();
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
        sendAll(new Wire.Command.Cut(d.kill() == 0));
        // Not before every child knows: whoever is cut off earlier comes back by itself, and its return is not timed.
        await(
                allOf(children.stream().map(ChildProcess::held).toList()),
                PROMPT_SECONDS,
                "a child does not know of the storm");
        if (d.kill() != 0) {
            ProcessHandle.of(d.kill()).ifPresent(ProcessHandle::destroyForcibly);
        }
        await(
                allOf(children.stream().map(ChildProcess::away).toList()),
                PROMPT_SECONDS,
                "connections are still open after the cut");
        long before = published.attempted();
        long back = System.nanoTime() + d.away() * 1_000_000L;
        if (d.awayEvents() > 0) {
            await(run.burst(d.awayEvents()), PROMPT_SECONDS, "the events of the storm are not published");
        }
        Thread.sleep(Math.max(0, (back - System.nanoTime()) / 1_000_000));
        missed = (double) (published.attempted() - before) / settings.load().channels();
        double[] cpu = meters.cpu();
        long begun = System.nanoTime();
        int id = ++expectation;
        int[] counts = published.counts();
        sendAll(new Wire.Command.Reopen(id, counts));
        double patience =
                settings.load().connections() / d.rate() + settings.rules().drain();
        try {
            await(wholeOf(id), patience, "connections are not whole after the storm");
            lastWhole = (System.nanoTime() - begun) / 1e9;
        } catch (TimeoutException e) {
            incomplete = true;
        }
        meters.recovered(cpu);
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

    private List<Wire.Report.Final> finish() throws Exception {
        sendAll(new Wire.Command.Finish(published.counts(), published.failures()));
        await(allOf(children.stream().map(ChildProcess::end).toList()), PROMPT_SECONDS, "a child gives no account");
        return children.stream().map(c -> c.end().join()).toList();
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

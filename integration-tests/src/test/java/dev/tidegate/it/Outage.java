package dev.tidegate.it;

import static org.awaitility.Awaitility.await;

import dev.tidegate.perf.report.Provenance;
import dev.tidegate.perf.report.ResultFile;
import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.TidegateClient;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * One row of the design's failure table, under load: 200 clients, each on two of 50 channels, 100 events a second; something breaks, a tenth of the
 * clients reconnect while it is broken, it is mended, and everything is counted ({@link OutageReport}).
 *
 * <p>An outage lasts {@code -Dtidegate.drill.outage=<seconds>}: 20 for the figures of a report. In the test suite, without that property, it is as short as
 * its row allows. With {@code -Dtidegate.drill.results=<folder>} each row leaves a result file there.
 */
final class Outage {

    private static final Long GIVEN_SECONDS = Long.getLong("tidegate.drill.outage");
    private static final String RESULTS = System.getProperty("tidegate.drill.results");
    private static final Duration SHORT = Duration.ofSeconds(3);

    /** For rows in which ingest gives Kafka up: its delivery time-out is 5 s. */
    private static final Duration LONG = Duration.ofSeconds(8);

    /** How much longer an outage may last for what has not arrived yet. */
    static final Duration ARRIVALS_WITHIN = Duration.ofSeconds(30);

    private static final int CLIENTS = 200;
    private static final int CHANNELS = 50;
    private static final int PER_SECOND = 100;

    /** Every tenth client reconnects. */
    private static final int RECONNECTS_EVERY = 10;

    /** Taken before and after the outage. */
    private static final int AROUND = 2 * PER_SECOND;

    private final String row;
    private final Services services;
    private Duration length = GIVEN_SECONDS == null ? SHORT : Duration.ofSeconds(GIVEN_SECONDS);
    private IntFunction<Supplier<String>> gateway;
    private IntPredicate untouched = _ -> true;
    private IntPredicate watched = _ -> true;
    private boolean live;
    private Runnable during = () -> {};
    private Supplier<String> afterwards = () -> "";

    private Outage(String row, Services services) {
        this.row = row;
        this.services = services;
        String even = services.gateway(0).url();
        String odd = services.gateway(1).url();
        this.gateway = i -> () -> i % 2 == 0 ? even : odd;
    }

    static Outage of(String row, Services services) {
        return new Outage(row, services);
    }

    /** Long enough for ingest to give Kafka up and to spool. */
    Outage untilSpooled() {
        length = GIVEN_SECONDS == null ? LONG : length;
        return this;
    }

    /** Which gateway the client with this number connects to; its parity decides when this is not called. */
    Outage gateway(IntFunction<Supplier<String>> value) {
        gateway = value;
        return this;
    }

    /** The clients whose connections the outage itself leaves alone, so that live delivery to them can be asked for; all when not called. */
    Outage untouched(IntPredicate value) {
        untouched = value;
        return this;
    }

    /** Of those, the ones whose live delivery is counted; all when not called. */
    Outage watched(IntPredicate value) {
        watched = value;
        return this;
    }

    /**
     * Live delivery has to go on: what was published during the outage has to arrive before it is mended. On a busy machine that may take a little longer
     * than the outage was to last; then it lasts so much longer, within bounds.
     */
    Outage live() {
        live = true;
        return this;
    }

    /** Run in the middle of the outage. */
    Outage during(Runnable value) {
        during = value;
        return this;
    }

    /** Run when what broke is back; what it says ends the row's line. */
    Outage afterwards(Supplier<String> value) {
        afterwards = value;
        return this;
    }

    /** Runs it and prints its line. */
    OutageReport run(Runnable breaks, Runnable mends) {
        String run = Backends.unique("outage");
        List<String> channels = IntStream.range(0, CHANNELS)
                .mapToObj(i -> "demo:" + run + "." + i)
                .toList();
        try (Crowd crowd = new Crowd(CLIENTS, channels, gateway);
                SteadyTraffic traffic = SteadyTraffic.on(services.publisher(), channels, PER_SECOND)) {
            awaitMore(traffic, AROUND);
            breaks.run();
            long from = System.nanoTime();
            breakUp(crowd.clients(), from);
            long to = System.nanoTime();
            if (live) {
                awaitArrivals(crowd, traffic, to);
            }
            long mending = System.nanoTime();
            mends.run();
            String told = afterwards.get();
            awaitMore(traffic, AROUND);
            traffic.stop();
            crowd.awaitWhole();
            OutageReport report = new OutageReport(
                    row,
                    Duration.ofNanos(to - from),
                    traffic,
                    crowd,
                    services.topic().read(),
                    channels,
                    new OutageReport.Window(from, to, mending),
                    this::isWatched,
                    told);
            System.out.println(report);
            if (RESULTS != null) {
                write(report);
            }
            return report;
        }
    }

    private void write(OutageReport report) {
        Map<String, Object> settings = Map.of(
                "clients", CLIENTS, "channels", CHANNELS, "perSecond", PER_SECOND, "reconnectsEvery", RECONNECTS_EVERY);
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("tool", "drill");
        result.put("scenario", "outage");
        result.put("name", row);
        result.put("provenance", Provenance.now());
        result.put("settings", settings);
        result.put("figures", report.figures());
        try {
            var _ = ResultFile.write(Path.of(RESULTS), "outage-" + row.replaceAll("[^A-Za-z0-9]+", "-"), result);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean isWatched(int client) {
        return untouched.test(client) && watched.test(client) && !reconnects(client);
    }

    /**
     * Until every call that was begun during the outage is answered, and each watched client has what was taken then, or time is up: then the report
     * says what did not come.
     */
    private void awaitArrivals(Crowd crowd, SteadyTraffic traffic, long to) {
        long deadline = System.nanoTime() + ARRIVALS_WITHIN.toNanos();
        while (System.nanoTime() - deadline < 0 && traffic.callsFromBefore(to)) {
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
        }
        Map<String, Long> taken = traffic.events().stream()
                .collect(Collectors.groupingBy(SteadyTraffic.Taken::channel, Collectors.counting()));
        List<TidegateClient> clients = crowd.clients();
        List<TidegateClient> all = IntStream.range(0, clients.size())
                .filter(this::isWatched)
                .mapToObj(clients::get)
                .toList();
        while (System.nanoTime() - deadline < 0
                && !all.stream()
                        .allMatch(client -> crowd.channels(client).stream()
                                .allMatch(channel -> client.eventCount(channel) >= taken.getOrDefault(channel, 0L)))) {
            LockSupport.parkNanos(Duration.ofMillis(50).toNanos());
        }
    }

    private static boolean reconnects(int client) {
        return client % RECONNECTS_EVERY == RECONNECTS_EVERY / 2 + client / RECONNECTS_EVERY % 2;
    }

    /** Lasts as long as the outage: cuts one client after the other. */
    private void breakUp(List<TidegateClient> clients, long from) {
        List<TidegateClient> leaving = IntStream.range(0, clients.size())
                .filter(Outage::reconnects)
                .mapToObj(clients::get)
                .toList();
        for (int i = 0; i < leaving.size(); i++) {
            awaitTime(from + length.toNanos() * i / leaving.size());
            leaving.get(i).cut();
            if (i == leaving.size() / 2) {
                during.run();
            }
        }
        awaitTime(from + length.toNanos());
    }

    /** The outage has a length; nothing but time tells that it is over. */
    private static void awaitTime(long nanos) {
        for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    private static void awaitMore(SteadyTraffic traffic, int events) {
        int before = traffic.taken();
        await(events + " more events are taken").atMost(Crowd.WITHIN).until(() -> traffic.taken() >= before + events);
    }
}

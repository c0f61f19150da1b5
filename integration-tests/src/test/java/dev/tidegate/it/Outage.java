package dev.tidegate.it;

import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.TidegateClient;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * One row of the design's failure table, under load: 200 clients, each on two of 50 channels, 100 events a second; something breaks, a tenth of the
 * clients reconnect while it is broken, it is mended, and everything is counted ({@link OutageReport}).
 *
 * <p>An outage lasts {@code -Dtidegate.drill.outage=<seconds>}: short in the test suite, 20 for the figures of a report.
 */
final class Outage {

    static final Duration LENGTH = Duration.ofSeconds(Long.getLong("tidegate.drill.outage", 6));

    private static final int CLIENTS = 200;
    private static final int CHANNELS = 50;
    private static final int PER_SECOND = 100;

    /** Every tenth client reconnects. */
    private static final int RECONNECTS_EVERY = 10;

    /** Taken before and after the outage. */
    private static final int AROUND = 2 * PER_SECOND;

    private final String row;
    private final Services services;
    private IntFunction<Supplier<String>> gateway;
    private IntPredicate untouched = _ -> true;
    private IntPredicate watched = _ -> true;
    private Runnable during = () -> {};
    private Supplier<Duration> afterwards = () -> null;

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

    /** Run in the middle of the outage. */
    Outage during(Runnable value) {
        during = value;
        return this;
    }

    /** Run when what broke is back; says how long something took from then on. */
    Outage afterwards(Supplier<Duration> value) {
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
            mends.run();
            Duration took = afterwards.get();
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
                    new OutageReport.Window(from, to),
                    i -> untouched.test(i) && watched.test(i) && !reconnects(i),
                    took);
            System.out.println(report);
            return report;
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
            awaitTime(from + LENGTH.toNanos() * i / leaving.size());
            leaving.get(i).cut();
            if (i == leaving.size() / 2) {
                during.run();
            }
        }
        awaitTime(from + LENGTH.toNanos());
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

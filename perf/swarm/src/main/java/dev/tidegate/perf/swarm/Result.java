package dev.tidegate.perf.swarm;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tidegate.perf.report.Provenance;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/**
 * What a run found, as it is written. Times are told by their names; rates are per second.
 *
 * @param exact whether everything acknowledged was received by everybody once, in order, without a hole
 * @param faults why not
 * @param accounts over all connections and the whole run; latencies, processor time and {@code measured} are of the
 *     measured time alone, without warm-up
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
record Result(
        String tool,
        String scenario,
        String name,
        boolean exact,
        List<String> faults,
        Provenance provenance,
        Settings settings,
        Connections connections,
        Publishing published,
        Accounts accounts,
        Measured measured,
        Latency latency,
        List<Sampled> processes,
        Client client,
        @Nullable Storm storm,
        List<Sample> samples) {

    /** @param openedIn seconds from the first connect to the last subscription */
    record Connections(int asked, int ready, int readyAtEnd, double openedIn, double perSecond) {}

    /**
     * @param lag by how much events were published too late: above a few milliseconds, the publisher was the limit
     */
    record Publishing(
            long attempted,
            long acknowledged,
            long failed,
            Histograms.Summary acknowledgement,
            Histograms.Summary lag,
            List<String> failures) {}

    /**
     * @param deliveries events received by clients, repeats excluded
     * @param otherCpuSeconds processor time of the machine that neither the sampled processes nor the swarm used
     */
    record Measured(double seconds, long deliveries, double deliveriesPerSecond, double otherCpuSeconds) {}

    record Latency(
            Histograms.Summary live,
            Histograms.@Nullable Summary slow,
            Histograms.Summary replay,
            Histograms.Summary connect,
            Histograms.@Nullable Summary recovery) {}

    /**
     * A sampled process.
     *
     * @param rssKiB before the first connection, with all connections idle, at the end
     * @param liveHeapBytesPerConnection objects that are alive with all connections idle, less those before the first, after
     *     full collections; where it was inspected
     * @param liveHeapBytesPerConnectionByClass the classes that make it up, largest first
     */
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Sampled(
            String name,
            List<String> flags,
            double cpuSeconds,
            double cpuMicrosPerDelivery,
            double cpuMicrosPerConnect,
            @Nullable Double cpuMicrosPerRecovery,
            @Nullable Double allocatedBytesPerDelivery,
            List<Long> rssKiB,
            long rssBytesPerConnection,
            @Nullable Long liveHeapBytesPerConnection,
            @Nullable Map<String, Long> liveHeapBytesPerConnectionByClass) {}

    /** The swarm itself, parent and publisher included; processor time of the measured time. */
    record Client(
            int processes, String transport, List<String> flags, double cpuSeconds, double cpuMicrosPerDelivery) {}

    /**
     * @param recovered connections that came back and are whole
     * @param missed events each channel got while they were away, on average
     * @param lastWholeSeconds from the call to come back until the last one was whole; negative if some never were
     */
    record Storm(long recovered, double missed, double lastWholeSeconds) {}

    /** Resident memory of the sampled processes, in their order, and seconds since the first connect. */
    record Sample(double second, List<Long> rssKiB) {}

    /** What the coordinator alone knows. */
    record Outcome(double openedIn, int ready, double missed, double lastWhole, boolean incomplete) {}

    /** Puts together what the children found, what was published and what was read of processes. */
    static Result of(
            Settings settings,
            List<Wire.Report.Final> finals,
            Published published,
            Meters meters,
            Outcome o,
            List<Sample> samples) {
        Accounts accounts = new Accounts();
        finals.forEach(f -> accounts.add(f.accounts()));
        Histogram live = merge(finals, Wire.Report.Final::live);
        Histogram slow = merge(finals, Wire.Report.Final::slow);
        Histogram replay = merge(finals, Wire.Report.Final::replay);
        Histogram recovery = merge(finals, Wire.Report.Final::recovery);
        int readyAtEnd = finals.stream().mapToInt(Wire.Report.Final::ready).sum();
        long deliveries = live.getTotalCount() + slow.getTotalCount() + replay.getTotalCount();
        List<String> faults = Verdict.faults(settings, accounts, published, readyAtEnd, o.incomplete());
        boolean stormy = settings.scenario() == Settings.Scenario.STORM;
        return new Result(
                "swarm",
                settings.scenario().name().toLowerCase(Locale.ROOT),
                settings.name(),
                faults.isEmpty(),
                faults,
                Provenance.now(),
                settings.withoutSecrets(),
                new Connections(
                        settings.load().connections(),
                        o.ready(),
                        readyAtEnd,
                        round(o.openedIn()),
                        round(o.ready() / o.openedIn())),
                new Publishing(
                        published.attempted(),
                        published.acknowledged(),
                        published.failed(),
                        Histograms.summary(published.acknowledgement),
                        Histograms.summary(published.lag),
                        published.examples()),
                accounts,
                new Measured(
                        round(meters.seconds()),
                        deliveries,
                        round(deliveries / meters.seconds()),
                        round(meters.otherCpuSeconds())),
                new Latency(
                        Histograms.summary(live),
                        settings.scenario() == Settings.Scenario.SLOW ? Histograms.summary(slow) : null,
                        Histograms.summary(replay),
                        Histograms.summary(merge(finals, Wire.Report.Final::connect)),
                        stormy ? Histograms.summary(recovery) : null),
                meters.sampled(deliveries, o.ready(), recovery.getTotalCount()),
                new Client(
                        finals.size(),
                        finals.getFirst().transport(),
                        ChildProcess.flags(),
                        round(meters.ownCpuSeconds()),
                        per(meters.ownCpuSeconds() * 1e6, deliveries)),
                stormy ? new Storm(recovery.getTotalCount(), round(o.missed()), round(o.lastWhole())) : null,
                samples);
    }

    private static Histogram merge(List<Wire.Report.Final> finals, Function<Wire.Report.Final, String> which) {
        Histogram out = Histograms.create();
        finals.forEach(f -> out.add(Histograms.decode(which.apply(f))));
        return out;
    }

    /** A share of an amount, rounded; 0 of nothing. */
    static double per(double amount, long n) {
        return n == 0 ? 0 : round(amount / n);
    }

    /** To three digits: more are noise. */
    static double round(double v) {
        return Math.round(v * 1000) / 1000.0;
    }
}

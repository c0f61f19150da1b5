package dev.tidegate.perf.swarm;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.tidegate.perf.report.Provenance;
import java.util.List;
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
     * @param liveHeapBytes the same, where it was inspected
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
            @Nullable List<Long> liveHeapBytes,
            @Nullable Long liveHeapBytesPerConnection) {}

    /** The swarm itself. */
    record Client(int processes, String transport, List<String> flags, double cpuSeconds) {}

    /**
     * @param recovered connections that came back and are whole
     * @param missed events each channel got while they were away, on average
     * @param lastWholeSeconds from the call to come back until the last one was whole; negative if some never were
     */
    record Storm(long recovered, double missed, double lastWholeSeconds) {}

    /** Resident memory of the sampled processes, in their order, and seconds since the first connect. */
    record Sample(double second, List<Long> rssKiB) {}
}

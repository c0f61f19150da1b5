package dev.tidegate.perf.swarm;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.util.List;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.json.JsonMapper;

/** What a parent and its children say to each other: one JSON object a line, on the child's standard input and output. */
final class Wire {
    static final ObjectMapper JSON = JsonMapper.builder().build();

    private Wire() {}

    /** To a child. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME, property = "do")
    sealed interface Command {
        /**
         * Connect.
         *
         * @param first index of the child's first connection
         * @param share the child's part of all connect rates
         * @param wallOffset wall clock minus {@link System#nanoTime()}: one for all processes of the run, so that a latency is a
         *     difference of one clock
         */
        record Start(Settings settings, int first, int count, double share, long wallOffset) implements Command {}

        /** Latencies count from now on. */
        record Measure() implements Command {}

        /** Report {@link Report.Whole} once every connection has so many events of each channel. */
        record Expect(int id, int[] counts) implements Command {}

        /** Stay away once disconnected; and disconnect now, if told so. */
        record Cut(boolean close) implements Command {}

        /** Come back; whole with so many events of each channel. */
        record Reopen(int id, int[] counts) implements Command {}

        /** The slow ones stop reading, or read again. */
        record Slow(boolean stop) implements Command {}

        /**
         * Give account and end.
         *
         * @param counts events published of each channel
         * @param optional pairs (channel, sequence) that were not acknowledged: they may be missing
         */
        record Finish(int[] counts, List<int[]> optional) implements Command {}
    }

    /** From a child. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.SIMPLE_NAME, property = "is")
    sealed interface Report {
        /** Every connection is subscribed or given up. */
        record Ready(int ready, int gaveUp, double seconds) implements Report {}

        /** A {@link Command.Cut} was carried out: whoever is disconnected from now on stays away. */
        record Held() implements Report {}

        /** No connection is left, after a {@link Command.Cut}. */
        record Away() implements Report {}

        /** An expectation is met. */
        record Whole(int id) implements Report {}

        /** The end. Histograms in HdrHistogram's compressed form, Base64. */
        record Final(
                Accounts accounts,
                int ready,
                String transport,
                String live,
                String slow,
                String replay,
                String connect,
                String recovery)
                implements Report {}
    }
}

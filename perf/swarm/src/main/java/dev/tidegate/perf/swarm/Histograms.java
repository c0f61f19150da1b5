package dev.tidegate.perf.swarm;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.zip.DataFormatException;
import org.HdrHistogram.Histogram;

/** Histograms of nanoseconds, three significant digits from 1 µs to an hour; and what is told of one. */
final class Histograms {
    private static final long LEAST = 1_000;
    private static final long MOST = 3_600_000_000_000L;

    private Histograms() {}

    static Histogram create() {
        return new Histogram(LEAST, MOST, 3);
    }

    /** Records a duration; one below zero (clocks may differ by that little) counts as the least, a longer one as the most. */
    static void record(Histogram h, long nanos) {
        h.recordValue(Math.max(0, Math.min(nanos, MOST)));
    }

    static String encode(Histogram h) {
        ByteBuffer buffer = ByteBuffer.allocate(h.getNeededByteBufferCapacity());
        int n = h.encodeIntoCompressedByteBuffer(buffer);
        byte[] bytes = new byte[n];
        buffer.flip();
        buffer.get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    static Histogram decode(String text) {
        try {
            return Histogram.decodeFromCompressedByteBuffer(
                    ByteBuffer.wrap(Base64.getDecoder().decode(text)), 0);
        } catch (DataFormatException e) {
            throw new IllegalArgumentException("no histogram", e);
        }
    }

    /** A point of the curve. */
    record Point(double percentile, double millis) {}

    /**
     * What a result tells of a histogram.
     *
     * @param percentiles the curve, for plots
     */
    record Summary(
            long count,
            double meanMillis,
            double p50Millis,
            double p90Millis,
            double p99Millis,
            double p999Millis,
            double maxMillis,
            List<Point> percentiles) {}

    static Summary summary(Histogram h) {
        List<Point> points = new ArrayList<>();
        if (h.getTotalCount() > 0) {
            for (var v : h.percentiles(4)) {
                points.add(new Point(round(v.getPercentileLevelIteratedTo()), millis(v.getValueIteratedTo())));
            }
        }
        return new Summary(
                h.getTotalCount(),
                millis((long) h.getMean()),
                millis(h.getValueAtPercentile(50)),
                millis(h.getValueAtPercentile(90)),
                millis(h.getValueAtPercentile(99)),
                millis(h.getValueAtPercentile(99.9)),
                millis(h.getMaxValue()),
                points);
    }

    private static double millis(long nanos) {
        return Math.round(nanos / 1000.0) / 1000.0;
    }

    private static double round(double v) {
        return Math.round(v * 1e6) / 1e6;
    }
}

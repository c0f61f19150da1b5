package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/** What has been published: how many events of each channel, and what became of them. Any thread. */
final class Published {
    /** Most failures remembered one by one; a run with more is not judged but refused. */
    static final int MAX_FAILURES = 10_000;

    private final AtomicIntegerArray counts;
    private final AtomicLong attempted = new AtomicLong();
    private final AtomicLong acknowledged = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final ConcurrentLinkedQueue<int[]> failures = new ConcurrentLinkedQueue<>();
    private final ConcurrentLinkedQueue<String> examples = new ConcurrentLinkedQueue<>();

    /** From the call to the acknowledgement. */
    final Histogram acknowledgement = new ConcurrentHistogram(1_000, 3_600_000_000_000L, 3);

    /** By how much an event was published later than it should have been: above a few milliseconds the publisher is the limit. */
    final Histogram lag = new ConcurrentHistogram(1_000, 3_600_000_000_000L, 3);

    Published(int channels) {
        counts = new AtomicIntegerArray(channels);
    }

    /** The sequence number of the channel's next event. */
    int next(int channel) {
        attempted.incrementAndGet();
        return counts.getAndIncrement(channel);
    }

    void acknowledged(long sentAt) {
        Histograms.record(acknowledgement, System.nanoTime() - sentAt);
        acknowledged.incrementAndGet();
    }

    void failed(int channel, int sequence, String why) {
        if (failed.incrementAndGet() <= MAX_FAILURES) {
            failures.add(new int[] {channel, sequence});
            if (examples.size() < 5) {
                examples.add(why);
            }
        }
    }

    /** Events of each channel, up to now. */
    int[] counts() {
        int[] out = new int[counts.length()];
        for (int i = 0; i < out.length; i++) {
            out[i] = counts.get(i);
        }
        return out;
    }

    long attempted() {
        return attempted.get();
    }

    long acknowledged() {
        return acknowledged.get();
    }

    long failed() {
        return failed.get();
    }

    boolean settled() {
        return acknowledged.get() + failed.get() == attempted.get();
    }

    /** Pairs (channel, sequence) of what was not acknowledged. */
    List<int[]> failures() {
        return new ArrayList<>(failures);
    }

    List<String> examples() {
        return List.copyOf(examples);
    }
}

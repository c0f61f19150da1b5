package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Resident memory once a second. */
final class Sampler implements AutoCloseable {
    /** An hour of samples; older runs' curves are not that long, and a result stays small. */
    private static final int MOST = 3600;

    private final List<Probe> probes;
    private final List<Result.Sample> samples = new ArrayList<>();
    private final long begun = System.nanoTime();
    private final @Nullable Thread thread;

    Sampler(List<Probe> probes) {
        this.probes = probes;
        this.thread = probes.isEmpty()
                ? null
                : Thread.ofPlatform().name("sampler").daemon().start(this::run);
    }

    private void run() {
        try {
            while (true) {
                synchronized (samples) {
                    if (samples.size() < MOST) {
                        samples.add(new Result.Sample(
                                Math.round((System.nanoTime() - begun) / 1e8) / 10.0,
                                probes.stream().map(Probe::rssKiB).toList()));
                    }
                }
                Thread.sleep(1000);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // closed
        }
    }

    List<Result.Sample> samples() {
        synchronized (samples) {
            return List.copyOf(samples);
        }
    }

    @Override
    public void close() {
        if (thread != null) {
            thread.interrupt();
        }
    }
}

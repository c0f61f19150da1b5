package dev.tidegate.perf.swarm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What is read of the sampled processes, of the machine and of the swarm itself, at the moments that the coordinator names. */
final class Meters implements AutoCloseable {
    /** Most classes told of a heap. */
    private static final int CLASSES = 20;

    private final Settings settings;
    private final List<ChildProcess> children;
    private final List<Probe> probes;
    private final List<Marks> marks = new ArrayList<>();
    private double seconds;
    private double otherCpu;
    private double ownCpu;

    /** What was read of one process. */
    private static final class Marks {
        final List<Long> rss = new ArrayList<>();
        final List<Map<String, Long>> heap = new ArrayList<>();
        double connectCpu;
        double cpu;
        double recoveryCpu;
        long allocated;
    }

    /** @param children the swarm's own, as they are at each moment */
    Meters(Settings settings, List<ChildProcess> children) {
        this.settings = settings;
        this.children = children;
        this.probes = settings.pids().stream().map(Probe::new).toList();
        probes.forEach(p -> marks.add(new Marks()));
    }

    List<Probe> probes() {
        return probes;
    }

    /** Attaches to what is to be inspected. */
    void attach() throws IOException {
        for (Probe p : probes) {
            if (inspected(p)) {
                p.attach();
            }
        }
    }

    private boolean inspected(Probe p) {
        return settings.inspect().contains(p.name());
    }

    /** Notes memory; and the live heap of idle runs, which costs a full collection and so would spoil others. */
    void mark() throws InterruptedException {
        for (int i = 0; i < probes.size(); i++) {
            if (settings.scenario() == Settings.Scenario.IDLE && inspected(probes.get(i))) {
                marks.get(i).heap.add(probes.get(i).liveHeap());
            }
            marks.get(i).rss.add(probes.get(i).rssKiB());
        }
    }

    /** Processor time of each sampled process until now. */
    double[] cpu() {
        return probes.stream().mapToDouble(Probe::cpuSeconds).toArray();
    }

    /** Connecting has ended. */
    void connected(double[] cpuBefore) {
        for (int i = 0; i < probes.size(); i++) {
            marks.get(i).connectCpu = probes.get(i).cpuSeconds() - cpuBefore[i];
        }
    }

    /** Recovering from a storm has ended. */
    void recovered(double[] cpuBefore) {
        for (int i = 0; i < probes.size(); i++) {
            marks.get(i).recoveryCpu = probes.get(i).cpuSeconds() - cpuBefore[i];
        }
    }

    /** Processor time of this process and its children. */
    private double ownCpu() {
        double parent = ProcessHandle.current()
                        .info()
                        .totalCpuDuration()
                        .orElse(Duration.ZERO)
                        .toNanos()
                / 1e9;
        return parent + children.stream().mapToDouble(ChildProcess::cpuSeconds).sum();
    }

    /** Processor time that the machine has spent on anything; 0 where there is no {@code /proc/stat}. */
    private static double machineCpu() {
        try {
            String line = Files.readAllLines(Path.of("/proc/stat")).getFirst();
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

    /** The measured time: begins when it is made, ends once. */
    final class Window {
        private final long begun = System.nanoTime();
        private final double[] cpuBefore = cpu();
        private final double ownBefore = ownCpu();
        private final double machineBefore = machineCpu();
        private final long[] allocatedBefore =
                probes.stream().mapToLong(Probe::allocatedBytes).toArray();

        void end() {
            seconds = (System.nanoTime() - begun) / 1e9;
            ownCpu = ownCpu() - ownBefore;
            otherCpu = machineCpu() - machineBefore - ownCpu;
            for (int i = 0; i < probes.size(); i++) {
                Marks m = marks.get(i);
                m.cpu = probes.get(i).cpuSeconds() - cpuBefore[i];
                m.allocated = probes.get(i).allocatedBytes() - allocatedBefore[i];
                otherCpu -= m.cpu;
            }
        }
    }

    double seconds() {
        return seconds;
    }

    /** Processor time that neither the sampled processes nor the swarm used. */
    double otherCpuSeconds() {
        return otherCpu;
    }

    /** Processor time of the swarm. */
    double ownCpuSeconds() {
        return ownCpu;
    }

    /**
     * The sampled processes' figures.
     *
     * @param ready connections at first
     * @param recovered connections that came back in a storm
     */
    List<Result.Sampled> sampled(long deliveries, int ready, long recovered) {
        List<Result.Sampled> out = new ArrayList<>();
        for (int i = 0; i < probes.size(); i++) {
            Probe p = probes.get(i);
            Marks m = marks.get(i);
            boolean heap = m.heap.size() > 1 && ready > 0;
            out.add(new Result.Sampled(
                    p.name(),
                    p.flags(),
                    Result.round(m.cpu),
                    Result.per(m.cpu * 1e6, deliveries),
                    Result.per(m.connectCpu * 1e6, ready),
                    recovered > 0 ? Result.per(m.recoveryCpu * 1e6, recovered) : null,
                    inspected(p) && deliveries > 0 ? Result.per((double) m.allocated, deliveries) : null,
                    m.rss,
                    m.rss.size() > 1 && ready > 0 ? (m.rss.get(1) - m.rss.get(0)) * 1024 / ready : 0,
                    heap ? (sum(m.heap.get(1)) - sum(m.heap.get(0))) / ready : null,
                    heap ? growth(m.heap.get(0), m.heap.get(1), ready) : null));
        }
        return out;
    }

    private static long sum(Map<String, Long> byClass) {
        return byClass.values().stream().mapToLong(Long::longValue).sum();
    }

    private static Map<String, Long> growth(Map<String, Long> before, Map<String, Long> after, int connections) {
        Map<String, Long> out = new LinkedHashMap<>();
        after.entrySet().stream()
                .map(e -> Map.entry(e.getKey(), (e.getValue() - before.getOrDefault(e.getKey(), 0L)) / connections))
                .filter(e -> e.getValue() > 0)
                .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                .limit(CLASSES)
                .forEach(e -> out.put(e.getKey(), e.getValue()));
        return out;
    }

    @Override
    public void close() {
        probes.forEach(Probe::close);
    }
}

package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A run in a few lines, for a terminal. */
final class Summary {
    private Summary() {}

    static String of(Settings s) {
        return String.format(
                Locale.ROOT,
                "swarm %s: %d connections, %d channels, seed %d",
                s.scenario().name().toLowerCase(Locale.ROOT),
                s.load().connections(),
                s.load().channels(),
                s.seed());
    }

    static List<String> of(Result r) {
        List<String> out = new ArrayList<>();
        Accounts a = r.accounts();
        out.add(String.format(
                Locale.ROOT,
                "delivered %d (%.0f/s), lost %d, repeated %d, late %d, holes %d, gaps %d, reconnects %d",
                a.delivered,
                r.measured().deliveriesPerSecond(),
                a.lost,
                a.repeated,
                a.late,
                a.holes,
                a.gaps,
                a.reconnects));
        Histograms.Summary live = r.latency().live();
        out.add(String.format(
                Locale.ROOT,
                "latency p50 %.2f, p99 %.2f, max %.2f ms; published %d, lag p99 %.2f ms",
                live.p50Millis(),
                live.p99Millis(),
                live.maxMillis(),
                r.published().attempted(),
                r.published().lag().p99Millis()));
        for (Result.Sampled p : r.processes()) {
            out.add(String.format(
                    Locale.ROOT,
                    "%s: %.2f µs of CPU per delivery, %.0f µs per connect, RSS %s KiB, %d B per connection",
                    p.name(),
                    p.cpuMicrosPerDelivery(),
                    p.cpuMicrosPerConnect(),
                    p.rssKiB(),
                    p.rssBytesPerConnection()));
            if (p.liveHeapBytesPerConnection() != null) {
                out.add(p.name() + ": " + p.liveHeapBytesPerConnection() + " B of live heap per connection");
            }
            if (p.allocatedBytesPerDelivery() != null) {
                out.add(p.name() + ": " + p.allocatedBytesPerDelivery() + " B allocated per delivery");
            }
            if (p.cpuMicrosPerRecovery() != null) {
                out.add(p.name() + ": " + p.cpuMicrosPerRecovery() + " µs of CPU per connection that came back");
            }
        }
        Result.Storm s = r.storm();
        if (s != null) {
            out.add(String.format(
                    Locale.ROOT,
                    "storm: %d came back, each channel had %.1f events meanwhile, last one whole after %.2f s",
                    s.recovered(),
                    s.missed(),
                    s.lastWholeSeconds()));
        }
        r.faults().forEach(f -> out.add("FAULT: " + f));
        if (!r.exact()) {
            a.examples.forEach(e -> out.add("  e.g. " + e));
            r.published().failures().forEach(e -> out.add("  e.g. publish: " + e));
        }
        out.add(r.exact() ? "exact" : "NOT EXACT");
        return out;
    }
}

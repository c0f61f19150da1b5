package dev.tidegate.perf.swarm;

import java.util.ArrayList;
import java.util.List;

/** What keeps a run from being exact. Pure. */
final class Verdict {
    private Verdict() {}

    /** In words; empty if the run is exact. */
    static List<String> faults(Settings settings, Accounts a, Published published, int readyAtEnd, boolean incomplete) {
        List<String> out = new ArrayList<>();
        none(out, a.lost, "acknowledged events never came");
        none(out, a.holes, "events had a prev beyond the client's position");
        none(out, a.backward, "events, positions or gaps led backwards");
        none(out, a.late, "events came out of order");
        none(out, a.foreign, "frames were of another channel or log, or held another payload");
        none(out, a.broken, "frames or bytes were not of the contract");
        none(out, a.wrongIds, "events had a wrong id");
        if (!settings.rules().allowRepeats()) {
            none(out, a.repeated, "events came again");
        }
        if (!settings.rules().allowGaps()) {
            none(out, a.gaps, "gaps were told");
        }
        if (!settings.load().reconnect()) {
            none(out, a.closedByServer, "connections were closed by the server");
            a.errors.forEach((code, n) -> none(out, n, "error frames with code " + code));
        }
        a.answers.forEach((status, n) -> none(out, n, "handshakes were answered " + status));
        none(out, settings.load().connections() - readyAtEnd, "connections were not subscribed at the end");
        none(out, published.failed(), "events were not acknowledged");
        if (settings.publishing().way() != Settings.Way.NONE && published.attempted() == 0) {
            out.add("nothing was published");
        }
        if (incomplete && out.isEmpty()) {
            out.add("clients were not whole in time");
        }
        return out;
    }

    private static void none(List<String> out, long n, String what) {
        if (n != 0) {
            out.add(n + " " + what);
        }
    }
}

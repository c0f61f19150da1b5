package dev.tidegate.perf.report;

import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Where a figure comes from. Every result file begins with it.
 *
 * @param at when the result was written
 * @param jvm of the ruler itself; the measured processes' own flags stand beside their figures
 */
public record Provenance(String at, Machine machine, Jvm jvm, Commit commit) {
    /** Of a run that ends now. */
    public static Provenance now() {
        return new Provenance(
                Instant.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                Machine.here(),
                Jvm.here(),
                Commit.of(Path.of("").toAbsolutePath()));
    }
}

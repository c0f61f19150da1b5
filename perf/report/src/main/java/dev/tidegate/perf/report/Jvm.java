package dev.tidegate.perf.report;

import java.lang.management.ManagementFactory;
import java.util.List;

/**
 * A JVM of a result.
 *
 * @param name and vendor version, e.g. {@code OpenJDK 64-Bit Server VM 25.0.1+8-LTS}
 * @param flags those that bear on figures, see {@link #telling}
 */
public record Jvm(String name, List<String> flags) {
    /** This JVM. */
    public static Jvm here() {
        return new Jvm(
                System.getProperty("java.vm.name") + " " + Runtime.version(),
                telling(ManagementFactory.getRuntimeMXBean().getInputArguments()));
    }

    /**
     * Of a JVM's arguments those that bear on figures and say nothing of where it was installed: results are published,
     * so nothing with a path in it.
     */
    public static List<String> telling(List<String> arguments) {
        return arguments.stream()
                .filter(a -> a.startsWith("-X")
                        || a.startsWith("-Dio.netty.")
                        || a.startsWith("-Dreactor.")
                        || a.startsWith("-Dtidegate.")
                        || a.startsWith("-D" + "gatling."))
                .filter(a -> a.indexOf('/') < 0)
                .toList();
    }
}

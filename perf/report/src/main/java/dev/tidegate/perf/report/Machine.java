package dev.tidegate.perf.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The machine of a result, as far as it bears on figures.
 *
 * @param cores that this process may use
 * @param cpu the processor's model name, or "unknown"
 * @param memoryMiB physical memory
 * @param kernel name, release and architecture
 */
public record Machine(int cores, String cpu, long memoryMiB, String kernel) {
    /** This machine; what cannot be read (it is read from {@code /proc}) is told as unknown, or 0. */
    public static Machine here() {
        return new Machine(
                Runtime.getRuntime().availableProcessors(),
                valueOf(Path.of("/proc/cpuinfo"), "model name"),
                kib(valueOf(Path.of("/proc/meminfo"), "MemTotal")) / 1024,
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"));
    }

    private static String valueOf(Path file, String name) {
        try (var lines = Files.lines(file)) {
            return lines.filter(l -> l.startsWith(name))
                    .findFirst()
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .orElse("unknown");
        } catch (IOException e) {
            return "unknown"; // not Linux
        }
    }

    private static long kib(String text) {
        return text.endsWith(" kB") ? Long.parseLong(text.substring(0, text.length() - 3)) : 0;
    }
}

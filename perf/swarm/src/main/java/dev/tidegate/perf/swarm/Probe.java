package dev.tidegate.perf.swarm;

import com.sun.tools.attach.AttachNotSupportedException;
import com.sun.tools.attach.VirtualMachine;
import dev.tidegate.perf.report.Jvm;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import javax.management.JMException;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;
import org.jspecify.annotations.Nullable;

/** A process that is measured: its processor time and memory from {@code /proc}; of a JVM, if asked for, heap and allocation. */
final class Probe implements AutoCloseable {
    private static final long JCMD_SECONDS = 60;

    private final Settings.Pid process;
    private @Nullable MBeanServerConnection beans;
    private @Nullable AutoCloseable connection;

    Probe(Settings.Pid process) {
        this.process = process;
        if (ProcessHandle.of(process.pid()).isEmpty()) {
            throw new Arguments.Wrong(
                    "--pid: " + process.name() + "=" + process.pid() + " (expected: a process that runs)");
        }
    }

    String name() {
        return process.name();
    }

    /** User and system time since its start; of a process that has ended, 0. */
    double cpuSeconds() {
        return ProcessHandle.of(process.pid())
                .flatMap(p -> p.info().totalCpuDuration())
                .map(d -> d.toNanos() / 1e9)
                .orElse(0.0);
    }

    /** Resident memory in KiB; 0 if it cannot be read. */
    long rssKiB() {
        return kib("status", "VmRSS:");
    }

    private long kib(String file, String name) {
        try (var lines = Files.lines(Path.of("/proc", Long.toString(process.pid()), file))) {
            return lines.filter(l -> l.startsWith(name))
                    .findFirst()
                    .map(l -> Long.parseLong(
                            l.substring(name.length()).replace("kB", "").strip()))
                    .orElse(0L);
        } catch (IOException e) {
            return 0;
        }
    }

    /** Those of its JVM's flags that bear on figures. */
    List<String> flags() {
        try {
            byte[] line = Files.readAllBytes(Path.of("/proc", Long.toString(process.pid()), "cmdline"));
            return Jvm.telling(Arrays.asList(new String(line, StandardCharsets.UTF_8).split("\0", -1)));
        } catch (IOException e) {
            return List.of();
        }
    }

    // ---- of a JVM

    /** Attaches, so that {@link #allocatedBytes} can be asked; costs the process a few hundred KiB once. */
    @SuppressWarnings(
            "BanJNDI") // the address is the one that the process itself, of this user and machine, has just told
    void attach() throws IOException {
        try {
            VirtualMachine vm = VirtualMachine.attach(Long.toString(process.pid()));
            try {
                var connector = JMXConnectorFactory.connect(new JMXServiceURL(vm.startLocalManagementAgent()));
                connection = connector;
                beans = connector.getMBeanServerConnection();
            } finally {
                vm.detach();
            }
        } catch (AttachNotSupportedException e) {
            throw new IOException("--inspect: " + process.name() + " is no JVM of this user: " + e.getMessage(), e);
        }
    }

    /** Bytes allocated by all threads since its start; 0 if it was not attached to. */
    @SuppressWarnings("BanJNDI") // a number is read, over the connection made above
    long allocatedBytes() {
        MBeanServerConnection b = beans;
        if (b == null) {
            return 0;
        }
        try {
            Object v =
                    b.getAttribute(new ObjectName(ManagementFactory.THREAD_MXBEAN_NAME), "TotalThreadAllocatedBytes");
            return v instanceof Long l ? l : 0;
        } catch (JMException | IOException e) {
            return 0; // it has gone, or its JVM does not tell
        }
    }

    /** Live objects by class, in bytes, after a full collection; empty if it cannot be asked. */
    Map<String, Long> liveHeap() throws InterruptedException {
        Path jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd");
        try {
            Process p = new ProcessBuilder(jcmd.toString(), Long.toString(process.pid()), "GC.class_histogram")
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!p.waitFor(JCMD_SECONDS, TimeUnit.SECONDS)) {
                p.destroyForcibly();
                return Map.of();
            }
            return classes(out);
        } catch (IOException e) {
            return Map.of(); // a JRE without tools
        }
    }

    /** Reads lines such as {@code   1:  63545  4087336  [B (java.base@25)}. */
    static Map<String, Long> classes(String histogram) {
        Map<String, Long> out = new HashMap<>();
        for (String line : histogram.split("\n", -1)) {
            String[] words = line.strip().split("\\s+", -1);
            if (words.length >= 4 && words[0].matches("[0-9]+:")) {
                out.merge(words[3], Long.parseLong(words[2]), Long::sum);
            }
        }
        return out;
    }

    @Override
    public void close() {
        AutoCloseable c = connection;
        if (c != null) {
            try {
                c.close();
            } catch (Exception e) {
                // It has gone, and with it what was to be closed.
            }
        }
    }
}

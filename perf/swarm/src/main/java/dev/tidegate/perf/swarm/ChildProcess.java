package dev.tidegate.perf.swarm;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/** A child as its parent sees it. Commands are sent by one thread; reports are read by a thread of its own. */
final class ChildProcess implements AutoCloseable {
    /**
     * A child's JVM: a serial collector with a small young generation, since a child runs one busy thread, allocates next to
     * nothing per event and must not take the processor from what it measures. 512 MiB hold 19,000 connections several
     * times over.
     */
    private static final List<String> FLAGS = List.of(
            "-XX:+UseSerialGC",
            "-XX:+UseCompactObjectHeaders",
            "-Xms96m",
            "-Xmn32m",
            "-Xmx512m",
            "-Dio.netty.leakDetection.level=disabled",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow");

    private final Process process;
    private final BufferedWriter commands;
    private final CompletableFuture<Wire.Report.Ready> ready = new CompletableFuture<>();
    private final CompletableFuture<Wire.Report.Held> held = new CompletableFuture<>(); // a run has one storm
    private final CompletableFuture<Wire.Report.Away> away = new CompletableFuture<>();
    private final CompletableFuture<Wire.Report.Final> end = new CompletableFuture<>();
    private final Map<Integer, CompletableFuture<Void>> whole = new ConcurrentHashMap<>();

    ChildProcess(int number) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(FLAGS);
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), SwarmMain.class.getName(), "child"));
        process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        commands = process.outputWriter(StandardCharsets.UTF_8);
        BufferedReader reports = process.inputReader(StandardCharsets.UTF_8);
        Thread.ofPlatform().name("child-" + number).daemon().start(() -> read(reports));
    }

    static List<String> flags() {
        return FLAGS;
    }

    private void read(BufferedReader reports) {
        try {
            for (String line = reports.readLine(); line != null; line = reports.readLine()) {
                switch (Wire.JSON.readValue(line, Wire.Report.class)) {
                    case Wire.Report.Ready r -> ready.complete(r);
                    case Wire.Report.Held h -> held.complete(h);
                    case Wire.Report.Away a -> away.complete(a);
                    case Wire.Report.Whole w -> wholeOf(w.id()).complete(null);
                    case Wire.Report.Final f -> end.complete(f);
                }
            }
            fail(new IOException("a child has ended early"));
        } catch (IOException | RuntimeException e) {
            fail(e);
        }
    }

    private void fail(Exception e) {
        ready.completeExceptionally(e);
        held.completeExceptionally(e);
        away.completeExceptionally(e);
        end.completeExceptionally(e);
        whole.values().forEach(f -> f.completeExceptionally(e));
    }

    /** User and system time so far; of a child that has ended, 0. */
    double cpuSeconds() {
        return process.toHandle()
                        .info()
                        .totalCpuDuration()
                        .orElse(Duration.ZERO)
                        .toNanos()
                / 1e9;
    }

    void send(Wire.Command command) throws IOException {
        // As the declared type, so that the kind of command is written.
        commands.write(Wire.JSON.writerFor(Wire.Command.class).writeValueAsString(command));
        commands.newLine();
        commands.flush();
    }

    CompletableFuture<Wire.Report.Ready> ready() {
        return ready;
    }

    CompletableFuture<Wire.Report.Held> held() {
        return held;
    }

    CompletableFuture<Wire.Report.Away> away() {
        return away;
    }

    CompletableFuture<Void> wholeOf(int expectation) {
        return whole.computeIfAbsent(expectation, e -> new CompletableFuture<>());
    }

    CompletableFuture<Wire.Report.Final> end() {
        return end;
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}

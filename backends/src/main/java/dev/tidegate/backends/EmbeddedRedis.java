package dev.tidegate.backends;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Redis as a guarded process of this JVM, on loopback, its append-only file in the data folder. */
public final class EmbeddedRedis implements Backend {

    /** Loading the append-only file is part of the start; 60 s is some tens of gigabytes. */
    private static final Duration READY_WITHIN = Duration.ofSeconds(60);

    private static final int PROBE_TIMEOUT_MS = 2_000;

    private final Claim claim;
    private final GuardedProcess process;
    private final int port;
    private final CompletableFuture<String> ended;

    private EmbeddedRedis(Claim claim, GuardedProcess process, int port) {
        this.claim = claim;
        this.process = process;
        this.port = port;
        this.ended = process.ended().whenComplete((how, failure) -> claim.close());
    }

    /**
     * Starts it and waits until it answers.
     *
     * @param claim becomes this backend's; given back when it ends or does not start
     * @param port 0 for a free one
     * @param settings laid over ours, by the names of {@code redis.conf}
     * @throws StartFailure when it does not come up
     */
    public static EmbeddedRedis start(Claim claim, int port, Map<String, String> settings) {
        try {
            Path program = Programs.redis();
            int chosen = Ports.orFree(port);
            Path folder = claim.formatted(fresh -> {});
            GuardedProcess process = GuardedProcess.start(
                    command(program, folder, chosen, settings), Map.of(), "TERM", LogTail.emptied(claim.log()));
            claim.record(process.handle());
            awaitReady(process, chosen, claim);
            return new EmbeddedRedis(claim, process, chosen);
        } catch (RuntimeException e) {
            claim.close();
            throw e;
        }
    }

    private static List<String> command(Path program, Path folder, int port, Map<String, String> settings) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("port", Integer.toString(port));
        all.put("bind", "127.0.0.1");
        all.put("dir", folder.toString());
        all.put("appendonly", "yes");
        all.put("appendfsync", "everysec");
        // No snapshots beside the append-only file: one way to disk is enough for presence and idempotency keys.
        all.put("save", "");
        all.put("daemonize", "no");
        all.putAll(settings);
        List<String> command = new ArrayList<>(List.of(program.toString()));
        all.forEach((name, value) -> command.addAll(List.of("--" + name, value)));
        return command;
    }

    private static void awaitReady(GuardedProcess process, int port, Claim claim) {
        boolean ready = Waiting.until(READY_WITHIN, () -> !process.isAlive() || answersPing(port));
        if (!process.isAlive()) {
            String why = LogTail.last(claim.log(), line -> line.contains(" # "))
                    .map(line -> line.substring(line.indexOf(" # ") + 3))
                    .orElse("no word in its log");
            throw why.contains("append only file") || why.contains("DB loading") || why.contains("RDB")
                    ? new StartFailure(DataFolder.damaged(claim.folder(), "Redis says: " + why))
                    : new StartFailure("Redis ended while it started: " + why + " (see " + claim.log() + ")");
        }
        if (!ready) {
            process.stop();
            throw new StartFailure(
                    "Redis did not answer within " + READY_WITHIN.toSeconds() + " s (see " + claim.log() + ")");
        }
    }

    private static boolean answersPing(int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), PROBE_TIMEOUT_MS);
            socket.setSoTimeout(PROBE_TIMEOUT_MS);
            socket.getOutputStream().write("PING\r\n".getBytes(StandardCharsets.US_ASCII));
            InputStream in = socket.getInputStream();
            // "+PONG", or "-LOADING …" while it reads its file
            return in.read() == '+';
        } catch (IOException notYet) {
            return false;
        }
    }

    @Override
    public BackendKind kind() {
        return BackendKind.REDIS;
    }

    @Override
    public int port() {
        return port;
    }

    @Override
    public long pid() {
        return process.pid();
    }

    @Override
    public CompletableFuture<String> ended() {
        return ended;
    }

    @Override
    public void close() {
        process.stop();
        claim.close();
    }
}

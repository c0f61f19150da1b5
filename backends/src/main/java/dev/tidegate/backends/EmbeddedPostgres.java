package dev.tidegate.backends;

import com.sun.security.auth.module.UnixSystem;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * PostgreSQL as a guarded process of this JVM, on loopback, superuser {@code postgres} without a password.
 *
 * <p>PostgreSQL refuses to run as root; where we are root (containers, build machines) it runs in a user namespace of its own, in which it is
 * nobody in particular.
 */
public final class EmbeddedPostgres implements Backend {

    /** Recovery after a crash is part of the start. */
    private static final Duration READY_WITHIN = Duration.ofSeconds(60);

    private static final Duration INITDB_WITHIN = Duration.ofSeconds(60);

    /** How long the processes of a killed server may keep its shared memory. */
    private static final Duration RETRY_WITHIN = Duration.ofSeconds(15);

    /** The line of {@code postmaster.pid} that says how far the start has come; PostgreSQL's own pg_ctl waits for it too. */
    private static final int STATUS_LINE = 7;

    private final Claim claim;
    private final GuardedProcess process;
    private final int port;
    private final CompletableFuture<String> ended;

    private EmbeddedPostgres(Claim claim, GuardedProcess process, int port) {
        this.claim = claim;
        this.process = process;
        this.port = port;
        this.ended = process.ended().whenComplete((how, failure) -> claim.close());
    }

    /**
     * Starts it and waits until it takes connections.
     *
     * @param claim becomes this backend's; given back when it ends or does not start
     * @param port 0 for a free one
     * @param settings laid over ours, by the names of {@code postgresql.conf}
     * @throws StartFailure when it does not come up
     */
    public static EmbeddedPostgres start(Claim claim, int port, Map<String, String> settings) {
        try {
            Path programs = Programs.postgres();
            List<String> asNobody = asNobody();
            int chosen = Ports.orFree(port);
            Path folder = claim.formatted(fresh -> initdb(programs, asNobody, fresh, claim.log()));
            if (!Files.exists(folder.resolve("PG_VERSION"))) {
                throw new StartFailure(DataFolder.damaged(folder, "no PG_VERSION in it"));
            }
            List<String> command = command(programs, asNobody, folder, chosen, settings);
            return new EmbeddedPostgres(claim, startServer(command, folder, claim), chosen);
        } catch (RuntimeException e) {
            claim.close();
            throw e;
        }
    }

    private static List<String> asNobody() {
        if (new UnixSystem().getUid() != 0) {
            return List.of();
        }
        List<String> unshare = List.of("unshare", "-U");
        List<String> trial = new ArrayList<>(unshare);
        trial.add("true");
        try {
            Process process = new ProcessBuilder(trial)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            if (process.waitFor(10, TimeUnit.SECONDS) && process.exitValue() == 0) {
                return unshare;
            }
        } catch (IOException noUnshare) {
            // told below
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        throw new StartFailure(
                "PostgreSQL refuses to run as root, and `unshare -U` is not to be had here: start as another user");
    }

    private static void initdb(Path programs, List<String> asNobody, Path folder, Path log) throws IOException {
        List<String> command = new ArrayList<>(asNobody);
        command.add(programs.resolve("initdb").toString());
        command.addAll(List.of("--pgdata", folder.toString(), "--username", "postgres", "--auth", "trust"));
        command.addAll(List.of("--encoding", "UTF8", "--no-locale", "--no-instructions"));
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
        builder.environment().keySet().removeIf(name -> name.startsWith("PG"));
        Process process = builder.start();
        try {
            if (!process.waitFor(INITDB_WITHIN.toMillis(), TimeUnit.MILLISECONDS) || process.exitValue() != 0) {
                process.destroyForcibly();
                throw new IOException("initdb failed, see " + log);
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted");
        }
    }

    private static List<String> command(
            Path programs, List<String> asNobody, Path folder, int port, Map<String, String> settings) {
        Map<String, String> all = new LinkedHashMap<>();
        all.put("listen_addresses", "127.0.0.1");
        all.put("port", Integer.toString(port));
        // No Unix socket: its path would have to be short, writable and not shared.
        all.put("unix_socket_directories", "");
        all.put("shared_buffers", "64MB");
        all.put("max_connections", "200");
        all.put("timezone", "UTC");
        all.put("log_timezone", "UTC");
        all.putAll(settings);
        List<String> command = new ArrayList<>(asNobody);
        command.addAll(List.of(programs.resolve("postgres").toString(), "-D", folder.toString()));
        all.forEach((name, value) -> command.addAll(List.of("-c", name + "=" + value)));
        return command;
    }

    private static GuardedProcess startServer(List<String> command, Path folder, Claim claim) {
        long deadline = System.nanoTime() + RETRY_WITHIN.toNanos();
        while (true) {
            forgetDeadPostmaster(folder);
            // INT is PostgreSQL's fast shutdown; TERM would wait for every client to leave.
            GuardedProcess process =
                    GuardedProcess.start(command, Map.of("LC_ALL", "C"), "INT", LogTail.emptied(claim.log()));
            claim.record(process.handle());
            boolean ready = Waiting.until(READY_WITHIN, () -> !process.isAlive() || isReady(folder, process.pid()));
            if (ready && process.isAlive()) {
                return process;
            }
            process.stop();
            if (!ready) {
                throw new StartFailure("PostgreSQL did not take connections within " + READY_WITHIN.toSeconds()
                        + " s (see " + claim.log() + ")");
            }
            String why = LogTail.last(claim.log(), line -> line.contains("FATAL:") || line.contains("PANIC:"))
                    .map(line -> line.replaceFirst("^.*(FATAL|PANIC): +", ""))
                    .orElse("no word in its log");
            if (!why.contains("shared memory block") || System.nanoTime() - deadline > 0) {
                throw cannotStart(why, claim);
            }
        }
    }

    private static StartFailure cannotStart(String why, Claim claim) {
        return why.contains("listen") || why.contains("TCP/IP")
                ? new StartFailure("PostgreSQL ended while it started: " + why + " (see " + claim.log() + ")")
                : new StartFailure(
                        DataFolder.damaged(claim.folder(), "PostgreSQL says: " + why + "; see " + claim.log()));
    }

    /**
     * Removes the pid file of a server that was killed. PostgreSQL does that itself unless the pid has been given to another process, which in a
     * container happens at every start; we hold the claim and have ended what was recorded with it, so no server works on this folder.
     */
    private static void forgetDeadPostmaster(Path folder) {
        try {
            Files.deleteIfExists(folder.resolve("postmaster.pid"));
        } catch (IOException e) {
            throw new StartFailure(DataFolder.damaged(folder, DataFolder.describe(e)), e);
        }
    }

    private static boolean isReady(Path folder, long pid) {
        try {
            List<String> lines = Files.readAllLines(folder.resolve("postmaster.pid"));
            Optional<String> status = lines.stream().skip(STATUS_LINE).findFirst();
            return status.isPresent()
                    && status.get().strip().equals("ready")
                    && lines.getFirst().strip().equals(Long.toString(pid));
        } catch (IOException notYet) {
            return false;
        }
    }

    @Override
    public BackendKind kind() {
        return BackendKind.POSTGRES;
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

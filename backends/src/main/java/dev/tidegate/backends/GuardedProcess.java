package dev.tidegate.backends;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A native program that ends when this JVM ends, however the JVM ends.
 *
 * <p>Java can stop its children in a shutdown hook, but not when it is killed with SIGKILL. So a small shell waits beside the program on the
 * other end of a pipe whose only writer is this JVM: when the pipe closes, by {@link #stop()} or by the JVM's death, it sends the program its
 * stop signal and, ten seconds later, SIGKILL. The program itself is this JVM's direct child (its pid and exit code are the real ones), and
 * both are in sessions of their own, so that a Ctrl-C in the terminal reaches the JVM alone and the order of stopping stays ours.
 *
 * <p>Linux' parent-death signal would do less: it fires when the <em>thread</em> that started the child ends, is lost by programs that change
 * user, and macOS has none.
 */
public final class GuardedProcess {

    /** The longest that {@link #stop()} waits before it kills. All backends stop at the same time, and the whole in less than 10 s. */
    public static final Duration STOP_WITHIN = Duration.ofSeconds(5);

    private static final String GUARD = """
            exec 3<&0 </dev/null
            if command -v setsid >/dev/null 2>&1; then own=setsid; else own=; fi
            ( $own sh -c '
                trap "" HUP INT TERM
                read -r line <&3
                kill -s "$2" "$1" || exit 0
                tries=0
                while kill -0 "$1"; do
                    tries=$((tries + 1))
                    if [ $tries -gt 50 ]; then kill -s KILL "$1"; exit 0; fi
                    sleep 0.2
                done
            ' guard $$ "$1" >/dev/null 2>&1 & )
            shift
            exec 3<&-
            exec $own "$@"
            """;

    private final Process process;

    private GuardedProcess(Process process) {
        this.process = process;
    }

    /**
     * Starts {@code command}, its output going to the end of {@code log}.
     *
     * @param stopSignal the name of the signal that makes it end in order, e.g. {@code TERM}
     */
    public static GuardedProcess start(
            List<String> command, Map<String, String> environment, String stopSignal, Path log) {
        List<String> guarded = new ArrayList<>(List.of("sh", "-c", GUARD, "guarded", stopSignal));
        guarded.addAll(command);
        ProcessBuilder builder = new ProcessBuilder(guarded)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
        builder.environment().keySet().removeIf(name -> name.startsWith("PG"));
        builder.environment().putAll(environment);
        try {
            return new GuardedProcess(builder.start());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The program, for its pid and its descendants. */
    public ProcessHandle handle() {
        return process.toHandle();
    }

    /** The pid of the program itself. */
    public long pid() {
        return process.pid();
    }

    /** Whether the program runs. */
    public boolean isAlive() {
        return process.isAlive();
    }

    /** Completes with a few words once it has ended. */
    public CompletableFuture<String> ended() {
        return process.onExit().thenApply(ended -> "exit code " + ended.exitValue());
    }

    /** Stops it in order; kills it when that takes longer than {@link #STOP_WITHIN}. Idempotent. */
    public void stop() {
        try {
            process.getOutputStream().close();
        } catch (IOException alreadyClosed) {
            // it has ended, or ends for lack of its guard below
        }
        try {
            if (!process.waitFor(STOP_WITHIN.toMillis(), TimeUnit.MILLISECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}

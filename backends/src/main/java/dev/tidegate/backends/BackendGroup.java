package dev.tidegate.backends;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;

/** Backends that are started together and stopped together, each on a thread of its own, so that the whole takes as long as the slowest. */
public final class BackendGroup implements AutoCloseable {

    private final List<Backend> running = new CopyOnWriteArrayList<>();
    private volatile boolean closing;

    /**
     * Starts all of {@code starts} at once and waits for them.
     *
     * @param onReady called for each as it becomes ready, on a thread of the start
     * @throws StartFailure the first one, once the others have been stopped
     */
    public void start(List<? extends Callable<? extends Backend>> starts, Consumer<Backend> onReady) {
        try (ExecutorService threads = Executors.newThreadPerTaskExecutor(
                Thread.ofPlatform().daemon().name("backend-start-", 0).factory())) {
            List<CompletableFuture<Void>> started = new ArrayList<>();
            for (Callable<? extends Backend> start : starts) {
                started.add(CompletableFuture.runAsync(
                        () -> {
                            Backend backend = call(start);
                            running.add(backend);
                            if (closing) {
                                backend.close();
                            } else {
                                onReady.accept(backend);
                            }
                        },
                        threads));
            }
            CompletableFuture.allOf(started.toArray(CompletableFuture<?>[]::new))
                    .join();
        } catch (CompletionException e) {
            close();
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    private static Backend call(Callable<? extends Backend> start) {
        try {
            return start.call();
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** Those that have become ready, in that order. */
    public List<Backend> running() {
        return List.copyOf(running);
    }

    /** Whether {@link #close()} has begun: an end after that is no accident. */
    public boolean isClosing() {
        return closing;
    }

    /** Stops all at once and waits for them; bounded by {@link GuardedProcess#STOP_WITHIN}. Idempotent. */
    @Override
    public void close() {
        closing = true;
        List<Thread> stops = running.stream()
                .map(backend -> Thread.ofPlatform()
                        .name("stop-" + backend.kind().label())
                        .start(backend::close))
                .toList();
        for (Thread stop : stops) {
            try {
                stop.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}

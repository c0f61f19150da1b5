package dev.tidegate.standalone;

import dev.tidegate.backends.StartFailure;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.web.server.PortInUseException;
import org.springframework.context.ConfigurableApplicationContext;

/** The services that run in this JVM, from their start to their stop. Starting is the business of one thread; stopping may come from another. */
final class Services {

    private static final Logger log = LoggerFactory.getLogger(Services.class);

    /** A start reads Kafka's tail and opens a server: seconds. Longer means that it waits for something that does not come. */
    private static final Duration READY_WITHIN = Duration.ofSeconds(60);

    private static final Duration ASK_EVERY = Duration.ofMillis(50);
    private static final HttpClient HTTP =
            HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();

    private final List<ConfigurableApplicationContext> running = new CopyOnWriteArrayList<>();
    private volatile boolean stopping;

    /** One to start: the service, the port it shall have, and the properties that count most for it. */
    record Start(Sibling sibling, int port, Map<String, Object> properties) {}

    /**
     * Starts all of {@code starts} at once and waits until each says that it is ready.
     *
     * @param onReady called for each, on a thread of the start
     * @throws StartFailure the first one
     */
    void start(List<Start> starts, Consumer<Start> onReady) {
        try (ExecutorService threads = Executors.newThreadPerTaskExecutor(
                Thread.ofPlatform().daemon().name("service-start-", 0).factory())) {
            List<CompletableFuture<Void>> all = new ArrayList<>();
            for (Start start : starts) {
                all.add(CompletableFuture.runAsync(
                        () -> {
                            launch(start);
                            awaitReady(start);
                            onReady.accept(start);
                        },
                        threads));
            }
            CompletableFuture.allOf(all.toArray(CompletableFuture<?>[]::new)).join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof StartFailure failure ? failure : e;
        }
    }

    private void launch(Start start) {
        try {
            ConfigurableApplicationContext context = start.sibling().launcher().run(start.properties());
            running.add(context);
            if (stopping) {
                context.close();
            }
        } catch (RuntimeException e) {
            log.error("{} did not start", start.sibling().name(), e);
            throw new StartFailure(why(start, e), e);
        }
    }

    private static String why(Start start, Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            if (cause instanceof PortInUseException) {
                return "port " + start.port() + " for " + start.sibling().name()
                        + " is taken: stop what listens there, or choose another with "
                        + start.sibling().portVariable();
            }
        }
        return start.sibling().name() + " did not start: " + StartFailure.rootLine(failure);
    }

    private void awaitReady(Start start) {
        long deadline = System.nanoTime() + READY_WITHIN.toNanos();
        HttpRequest probe = HttpRequest.newBuilder(
                        URI.create("http://127.0.0.1:" + start.port() + "/actuator/health/readiness"))
                .timeout(Duration.ofSeconds(2))
                .build();
        while (!isUp(probe)) {
            if (System.nanoTime() - deadline > 0) {
                throw new StartFailure(
                        start.sibling().name() + " was not ready within " + READY_WITHIN.toSeconds() + " s");
            }
        }
    }

    private static boolean isUp(HttpRequest probe) {
        try {
            if (HTTP.send(probe, HttpResponse.BodyHandlers.discarding()).statusCode() == 200) {
                return true;
            }
            Thread.sleep(ASK_EVERY);
        } catch (IOException notYet) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new StartFailure("interrupted");
        }
        return false;
    }

    /** Closes the contexts, the last one started first, and gives up waiting after {@code within}. */
    void stop(Duration within) {
        stopping = true;
        CompletableFuture<Void> stopped = CompletableFuture.runAsync(
                () -> running.reversed().forEach(ConfigurableApplicationContext::close),
                task -> Thread.ofPlatform().daemon().name("services-stop").start(task));
        try {
            stopped.get(within.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            log.warn("services have not stopped within {} s: going on without them", within.toSeconds());
        } catch (java.util.concurrent.ExecutionException e) {
            log.warn("a service did not stop in order", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

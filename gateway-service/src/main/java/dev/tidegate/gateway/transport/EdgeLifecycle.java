package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.config.TransportKind;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.IntSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.context.SmartLifecycle;

/**
 * The first to stop and the last to start: tells when the gateway is ready, and drains it before the server stops. The
 * order matters, since Boot's server closes every socket that is not HTTP at once, without a close frame.
 */
final class EdgeLifecycle implements SmartLifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(EdgeLifecycle.class);

    /** Between two looks at the tailer while starting. */
    private static final Duration LOOK = Duration.ofMillis(20);

    /** What a drain may take beyond the time it was given. */
    private static final Duration DRAIN_GRACE = Duration.ofSeconds(5);

    private final GatewayCore core;
    private final Admission admission;
    private final TransportKind transport;
    private final Duration drainTimeout;
    private final IntSupplier port;
    private volatile boolean running;

    EdgeLifecycle(
            GatewayCore core, Admission admission, TransportKind transport, Duration drainTimeout, IntSupplier port) {
        this.core = core;
        this.admission = admission;
        this.transport = transport;
        this.drainTimeout = drainTimeout;
        this.port = port;
    }

    @Override
    public void start() {
        running = true;
        Thread.ofVirtual().name("gateway-readiness").start(this::announce);
    }

    private void announce() {
        while (running && !core.caughtUp().getAsBoolean()) {
            try {
                Thread.sleep(LOOK);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
        if (running) {
            LOG.info(
                    "gateway-service ready on http://127.0.0.1:{} (pid {}, transport {})",
                    port.getAsInt(),
                    ProcessHandle.current().pid(),
                    transport);
        }
    }

    @Override
    public void stop(Runnable callback) {
        running = false;
        admission.stop();
        Thread.ofVirtual().name("gateway-drain").start(() -> {
            drain();
            callback.run();
        });
    }

    private void drain() {
        long bound = drainTimeout.plus(DRAIN_GRACE).toMillis();
        try {
            core.drain().apply(drainTimeout).toCompletableFuture().get(bound, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException e) {
            LOG.warn(
                    "{} connections are left after draining for {} ms",
                    core.connections().getAsInt(),
                    bound);
        } catch (ExecutionException e) {
            LOG.warn("draining failed", e);
        }
    }

    @Override
    public void stop() {
        // Never called: the context stops lifecycles with a callback.
        running = false;
    }

    @Override
    public boolean isRunning() {
        return running;
    }

    @Override
    public int getPhase() {
        return SmartLifecycle.DEFAULT_PHASE;
    }
}

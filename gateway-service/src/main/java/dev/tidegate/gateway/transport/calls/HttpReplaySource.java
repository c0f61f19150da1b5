package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.gateway.transport.calls.ReplayCall.Pending;
import dev.tidegate.protocol.Replay;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import reactor.netty.resources.ConnectionProvider;

/**
 * Missed events from the replay service. A reconnect storm asks for thousands of channels at once, so requests that come
 * within a few milliseconds travel in one call. Each event loop has its own batches and connections: a session's request
 * is sent, answered and handed to it on its own thread, without a lock or a hand-over. Calls in flight, waiting requests
 * and the time without progress are bounded; what is beyond a bound fails at once, and its session tries again later.
 * Where requests wait, sessions take turns, and those that ask for the same events share an answer ({@link ReplayQueue}).
 */
public final class HttpReplaySource implements ReplaySource, AutoCloseable {
    private final List<LoopReplay> loops = new ArrayList<>();
    private final List<ConnectionProvider> connections = new ArrayList<>();

    /**
     * @param eventLoops the gateway's; the bounds of the settings are shared out among them
     * @param serviceToken shown to the service; null: nothing is
     */
    public HttpReplaySource(
            List<EventLoop> eventLoops,
            GatewaySettings.ReplayService settings,
            @Nullable String serviceToken,
            GatewayMetrics metrics) {
        LoopReplay.Bounds bounds = new LoopReplay.Bounds(
                settings.batchWindow(),
                Math.ceilDiv(settings.callsInFlight(), eventLoops.size()),
                Math.ceilDiv(settings.queue(), eventLoops.size()),
                settings.batch());
        for (EventLoop loop : eventLoops) {
            ConnectionProvider pool =
                    ServiceClient.pool("replay", bounds.calls(), bounds.calls(), settings.progressTimeout());
            connections.add(pool);
            loops.add(new LoopReplay(
                    loop,
                    ServiceClient.on(loop, pool, settings.url(), settings.progressTimeout(), serviceToken)
                            .headers(h ->
                                    h.set("content-type", "application/json").set("accept", "application/x-ndjson")),
                    bounds,
                    metrics));
        }
    }

    /** {@inheritDoc} Called on an event loop, the listener is called on the same one. */
    @Override
    public Runnable fetch(Replay.Request request, Listener listener) {
        Pending pending = new Pending(request, listener);
        for (LoopReplay l : loops) {
            if (l.loop().inEventLoop()) {
                l.add(pending);
                return () -> cancel(l, pending);
            }
        }
        LoopReplay any = loops.get(ThreadLocalRandom.current().nextInt(loops.size()));
        any.loop().execute(() -> any.add(pending));
        return () -> cancel(any, pending);
    }

    private static void cancel(LoopReplay where, Pending pending) {
        if (where.loop().inEventLoop()) {
            where.cancel(pending);
            return;
        }
        pending.cancel(); // it is told nothing from here on
        where.loop().execute(() -> where.cancel(pending));
    }

    /** Fails what waits and closes the connections; sessions are gone by then. */
    @Override
    public void close() {
        for (LoopReplay l : loops) {
            l.loop().execute(l::close);
        }
        connections.forEach(ConnectionProvider::dispose);
    }
}

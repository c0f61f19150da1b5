package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.session.DurableStore;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import reactor.netty.resources.ConnectionProvider;

/**
 * Durable cursors at the replay service. As with {@link HttpReplaySource}, each event loop has its own batches and connections: what
 * a session asks on its loop is sent and answered there.
 */
public final class HttpDurableStore implements DurableStore, AutoCloseable {
    /** Most calls of one loop: one batch of acknowledgements, and look-ups. */
    private static final int CONNECTIONS = 1 + LoopCursors.MAX_FINDS;

    private final List<LoopCursors> loops = new ArrayList<>();
    private final List<ConnectionProvider> connections = new ArrayList<>();

    /**
     * @param eventLoops the gateway's; the queue of the settings is shared out among them
     * @param serviceToken shown to the service; null: nothing is
     */
    public HttpDurableStore(
            List<EventLoop> eventLoops, GatewaySettings.ReplayService settings, @Nullable String serviceToken) {
        for (EventLoop loop : eventLoops) {
            ConnectionProvider pool =
                    ServiceClient.pool("cursors", CONNECTIONS, CONNECTIONS, settings.progressTimeout());
            connections.add(pool);
            loops.add(new LoopCursors(
                    loop,
                    ServiceClient.on(loop, pool, settings.url(), settings.progressTimeout(), serviceToken)
                            .headers(h -> h.set("content-type", "application/json")),
                    settings.batchWindow(),
                    Math.ceilDiv(settings.queue(), eventLoops.size())));
        }
    }

    @Override
    public void store(List<Ack> batch, Consumer<Stored> done) {
        LoopCursors own = own();
        own.run(() -> own.store(batch, done));
    }

    @Override
    public void find(CursorKey key, Consumer<Found> done) {
        LoopCursors own = own();
        own.run(() -> own.find(key, done));
    }

    private LoopCursors own() {
        for (LoopCursors l : loops) {
            if (l.loop().inEventLoop()) {
                return l;
            }
        }
        return loops.get(ThreadLocalRandom.current().nextInt(loops.size()));
    }

    /** Closes the connections; sessions are gone by then. */
    @Override
    public void close() {
        connections.forEach(ConnectionProvider::dispose);
    }
}

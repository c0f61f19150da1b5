package dev.tidegate.gateway.presence;

import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.session.LoopShard;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.protocol.ChannelName;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.security.SecureRandom;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Presence as the gateway runs it: the directory, its thread, and its store in Redis. Any thread. */
public final class PresenceService implements Presence, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PresenceService.class);
    private static final long RELEASE_WITHIN_MS = 2_000;

    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("presence").factory());
    private final RedisPresence store;
    private final PresenceDirectory directory;
    private volatile List<LoopShard> shards = List.of();

    /**
     * Not yet started.
     *
     * @param namespaces those with presence; not empty
     * @param topic the fan-out topic, which keeps installations on one Redis apart
     * @param loops number of event loops
     */
    public PresenceService(
            Set<String> namespaces, PresenceSettings settings, String redisUrl, String topic, int loops) {
        String gateway = Long.toString(new SecureRandom().nextLong() >>> 1, 36);
        this.store = new RedisPresence(redisUrl, topic, gateway, settings, RedisPresence.TIMEOUT);
        this.directory = new PresenceDirectory(
                namespaces,
                settings,
                store,
                thread,
                System::nanoTime,
                (loop, channel, joined, left) -> shards.get(loop).announce(channel, joined, left),
                loops);
    }

    /** Begins; {@code all} are told who comes and goes. */
    public void start(List<LoopShard> all) {
        shards = List.copyOf(all);
        store.start(directory);
        var _ = thread.scheduleWithFixedDelay(
                this::tick, PresenceDirectory.TICK_MS, PresenceDirectory.TICK_MS, TimeUnit.MILLISECONDS);
    }

    private void tick() {
        try {
            directory.tick();
        } catch (RuntimeException e) {
            LOG.error("Presence failed in the middle of its work; it goes on with the next tick", e);
        }
    }

    @Override
    public boolean covers(ChannelName channel) {
        return directory.covers(channel);
    }

    @Override
    public void changed(int loop, List<Change> changes) {
        directory.changed(loop, changes);
    }

    @Override
    public void ask(ChannelName channel, Consumer<Answer> done) {
        directory.ask(channel, done);
    }

    /** Names its figures. */
    public void bindTo(MeterRegistry registry) {
        String p = "tidegate.gateway.presence.";
        Gauge.builder(p + "up", directory, d -> d.isConnected() ? 1 : 0)
                .description("Whether Redis answers")
                .register(registry);
        Gauge.builder(p + "channels", directory, PresenceDirectory::channels)
                .description("Channels with members here")
                .register(registry);
        FunctionCounter.builder(p + "changes", directory.announced, LongAdder::sum)
                .description("Joins and leaves told to a channel's members here, once each")
                .register(registry);
        FunctionCounter.builder(p + "failures", directory.failures, LongAdder::sum)
                .description("Commands that failed or took too long")
                .register(registry);
    }

    /** Lets the leases end soon, then stops. */
    @Override
    public void close() {
        try {
            CompletableFuture<@Nullable Void> released = new CompletableFuture<>();
            thread.execute(() -> {
                var _ = directory.release().whenComplete((done, error) -> released.complete(null));
            });
            released.get(RELEASE_WITHIN_MS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("Leases end by themselves", e);
        }
        thread.shutdownNow();
        store.close();
    }
}

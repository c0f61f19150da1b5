package dev.tidegate.ingest.fallback;

import dev.tidegate.ingest.config.RedisTierSettings;
import dev.tidegate.protocol.FallbackCopy;
import dev.tidegate.redis.RedisNodes;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes copies on Redis; see ADR 110. Any thread; nothing here waits, so a Redis that is slow or away costs copies
 * and nothing else.
 *
 * <p>Bounded: so many copies, and so many bytes of them, are with the connection until Redis answers. The circuit opens when
 * nothing has been answered for the timeout though something is on its way, or when the connection breaks; it closes when
 * a {@code PING} on the connection, behind all that, is answered. A connection is not mended but replaced: what was on a
 * broken one is not sent again seconds later.
 */
public final class RedisTier implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RedisTier.class);

    /** Of a connection attempt and of a probe. */
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);

    /** Between two attempts to get back to a node of a cluster. */
    private static final Duration RECONNECT_AT_MOST = Duration.ofSeconds(1);

    /** What became of a copy. */
    public enum Sent {
        /** Redis has it and has passed it on. */
        SENT,
        /** No connection, or the circuit is open. */
        AWAY,
        /** As much is on its way as may be. */
        FULL,
        /** It was on its way when the connection broke, or Redis refused it. */
        FAILED
    }

    private final String topic;
    private final RedisTierSettings settings;
    private final RedisNodes nodes;
    private final ClientResources resources;
    private final RedisClient client;
    private final ScheduledExecutorService prober = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("redis-tier").factory());

    private final AtomicInteger inFlight = new AtomicInteger();
    private final AtomicLong inFlightBytes = new AtomicLong();
    private final AtomicLong answered = new AtomicLong();
    private final AtomicBoolean open = new AtomicBoolean(true); // the circuit: open = nothing goes through
    private final Map<Sent, Counter> outcomes = new EnumMap<>(Sent.class);
    private volatile byte[][] channels = new byte[0][];
    private volatile @Nullable RedisLink link;
    private volatile boolean closing;

    // By the prober alone.
    private boolean told; // that it is away, since it was last there
    private long answeredBefore;
    private long stalledSince;

    /** Not yet connected. */
    public RedisTier(String url, String topic, RedisTierSettings settings, MeterRegistry meters) {
        this.topic = topic;
        this.settings = settings;
        this.nodes = RedisNodes.of(url, "tidegate-ingest-copies", CONNECT_TIMEOUT);
        this.resources = ClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                .reconnectDelay(Delay.exponential(Duration.ofMillis(50), RECONNECT_AT_MOST, 2, TimeUnit.MILLISECONDS))
                .build();
        this.client = RedisClient.create(resources);
        this.client.setOptions(ClientOptions.builder()
                .autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(sockets())
                .build());
        for (Sent s : Sent.values()) {
            Counter counter = Counter.builder("tidegate.ingest.redis.copies")
                    .description("Copies by what became of them")
                    .tag("outcome", s.name().toLowerCase(Locale.ROOT))
                    .register(meters);
            outcomes.put(s, counter);
        }
        Gauge.builder("tidegate.ingest.redis.available", this, t -> t.available() ? 1 : 0)
                .description("1 while copies go out")
                .register(meters);
        Gauge.builder("tidegate.ingest.redis.inflight", inFlight, AtomicInteger::get)
                .description("Copies that Redis has not yet answered")
                .register(meters);
    }

    private static SocketOptions sockets() {
        return SocketOptions.builder()
                .connectTimeout(CONNECT_TIMEOUT)
                .keepAlive(true)
                .build();
    }

    /** Connects in the background, and looks after the connection from then on. */
    public void start() {
        prober.execute(this::look);
    }

    /** Whether copies go out. */
    public boolean available() {
        return !open.get();
    }

    /**
     * Offers a copy. Never fails and never waits.
     *
     * @return completes with what became of it, on the caller's thread or on the client's
     */
    public CompletableFuture<Sent> offer(int partition, FallbackCopy copy) {
        RedisLink to = link;
        if (to == null || open.get()) {
            return ended(Sent.AWAY);
        }
        int size = copy.payload().length + FallbackCopy.MAX_BYTES_BESIDE_PAYLOAD;
        if (!admitted(size)) {
            return ended(Sent.FULL);
        }
        CompletionStage<Long> published;
        try {
            published = to.publish(channel(partition), copy.encode());
        } catch (RuntimeException e) {
            left(size);
            trip(e);
            return ended(Sent.FAILED);
        }
        CompletableFuture<Sent> outcome = new CompletableFuture<>();
        var _ = published.whenComplete((receivers, error) -> {
            left(size);
            if (error == null) {
                count(Sent.SENT);
                outcome.complete(Sent.SENT);
            } else {
                count(Sent.FAILED);
                if (!to.isOpen()) {
                    trip(error);
                }
                outcome.complete(Sent.FAILED);
            }
        });
        return outcome;
    }

    private CompletableFuture<Sent> ended(Sent how) {
        count(how);
        return CompletableFuture.completedFuture(how);
    }

    private void count(Sent how) {
        Counter counter = outcomes.get(how);
        if (counter != null) {
            counter.increment();
        }
    }

    private boolean admitted(int size) {
        if (inFlight.incrementAndGet() > settings.maxInFlight()) {
            inFlight.decrementAndGet();
            return false;
        }
        if (inFlightBytes.addAndGet(size) > settings.maxInFlightSize().toBytes()) {
            inFlightBytes.addAndGet(-size);
            inFlight.decrementAndGet();
            return false;
        }
        return true;
    }

    private void left(int size) {
        inFlightBytes.addAndGet(-size);
        inFlight.decrementAndGet();
        answered.incrementAndGet();
    }

    /** The name of a partition's channel; made once. */
    private byte[] channel(int partition) {
        byte[][] known = channels;
        if (partition >= known.length) {
            byte[][] more = new byte[partition + 1][];
            for (int i = 0; i < more.length; i++) {
                more[i] = i < known.length
                        ? known[i]
                        : FallbackCopy.redisChannel(topic, i).getBytes(StandardCharsets.UTF_8);
            }
            channels = more;
            known = more;
        }
        return known[partition];
    }

    private void trip(Throwable cause) {
        if (open.compareAndSet(false, true) && !closing) {
            log.warn(
                    "Redis at {} takes no copies ({}): events go on over Kafka alone, ephemeral ones are refused",
                    nodes,
                    String.valueOf(cause.getMessage()));
        }
    }

    /** One look at the connection; arranges the next one. */
    private void look() {
        if (closing) {
            return;
        }
        RedisLink l = link;
        CompletionStage<?> looked;
        if (l != null && !open.get() && l.isOpen()) {
            checkForStall();
            looked = CompletableFuture.completedStage(null);
        } else {
            looked = l != null && l.isOpen() ? probe(l) : connect();
        }
        looked.whenComplete((x, error) -> later());
    }

    private void later() {
        try {
            if (!closing) {
                long pause = open.get()
                        ? settings.probe().toMillis()
                        : Math.min(
                                settings.probe().toMillis(), settings.timeout().toMillis() / 4);
                var _ = prober.schedule(this::look, pause, TimeUnit.MILLISECONDS);
            }
        } catch (RejectedExecutionException e) {
            log.debug("Not looked at again: closing");
        }
    }

    private void checkForStall() {
        long now = System.nanoTime();
        long count = answered.get();
        if (inFlight.get() == 0 || count != answeredBefore) {
            answeredBefore = count;
            stalledSince = now;
        } else if (now - stalledSince >= settings.timeout().toNanos()) {
            trip(new IllegalStateException("no answer for " + settings.timeout()));
        }
    }

    private CompletionStage<?> probe(RedisLink l) {
        return within(l.ping()).whenComplete((pong, error) -> {
            if (error == null) {
                there(l);
            } else {
                link = null;
                l.close(); // what still stands on it is lost, and answered so
                away(error);
            }
        });
    }

    private CompletionStage<?> connect() {
        RedisLink old = link;
        if (old != null) {
            link = null;
            open.set(true);
            old.close();
        }
        return within(client.connectAsync(ByteArrayCodec.INSTANCE, nodes.current()))
                .thenCompose(this::linkFor)
                .whenComplete((fresh, error) -> {
                    if (error == null) {
                        there(fresh);
                    } else {
                        away(error);
                        nodes.next();
                    }
                });
    }

    /** Asks the server what it is; a cluster gets a client that knows where which channel belongs. */
    private CompletionStage<RedisLink> linkFor(StatefulRedisConnection<byte[], byte[]> connection) {
        RedisLink classic = new RedisLink.Classic(connection);
        return within(connection.async().info("server"))
                .thenCompose(info ->
                        RedisNodes.hasShardedPubSub(info) ? sharded() : CompletableFuture.completedStage(classic))
                .whenComplete((l, error) -> {
                    if (!(l instanceof RedisLink.Classic)) {
                        classic.close(); // failed, or not the way
                    }
                });
    }

    private CompletionStage<RedisLink> sharded() {
        RedisClusterClient cluster = RedisClusterClient.create(resources, nodes.all());
        cluster.setOptions(ClusterClientOptions.builder()
                .autoReconnect(true) // a node of many; what is on its way to it may then come late
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(settings.maxInFlight())
                // A node that stands still must not use up what may be on its way to all.
                .timeoutOptions(TimeoutOptions.enabled(settings.timeout()))
                .topologyRefreshOptions(RedisNodes.refresh())
                .socketOptions(sockets())
                .build());
        return within(cluster.refreshPartitionsAsync().thenCompose(x -> cluster.connectAsync(ByteArrayCodec.INSTANCE)))
                .<RedisLink>thenApply(connection -> new RedisLink.Sharded(cluster, connection))
                .whenComplete((l, error) -> {
                    if (error != null) {
                        var _ = cluster.shutdownAsync();
                    }
                });
    }

    private static <T> CompletableFuture<T> within(CompletionStage<T> stage) {
        return stage.toCompletableFuture().copy().orTimeout(CONNECT_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void there(RedisLink l) {
        if (closing) {
            l.close();
            return;
        }
        link = l;
        stalledSince = System.nanoTime();
        open.set(false);
        told = false;
        log.info(
                "Redis at {} takes copies ({})",
                nodes,
                l instanceof RedisLink.Sharded ? "sharded Pub/Sub" : "classic Pub/Sub");
    }

    private void away(Throwable error) {
        if (!told && !closing) {
            told = true;
            log.warn(
                    "Redis at {} is not there ({}): events go on over Kafka alone, ephemeral ones are refused",
                    nodes,
                    error instanceof java.util.concurrent.TimeoutException
                            ? "no answer"
                            : String.valueOf(error.getMessage()));
        }
    }

    @Override
    public void close() {
        closing = true;
        prober.shutdownNow();
        RedisLink l = link;
        if (l != null) {
            l.close();
        }
        client.shutdown(0, 1, TimeUnit.SECONDS);
        var _ = resources.shutdown(0, 1, TimeUnit.SECONDS);
    }
}

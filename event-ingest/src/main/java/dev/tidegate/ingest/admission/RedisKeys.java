package dev.tidegate.ingest.admission;

import dev.tidegate.redis.RedisNodes;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SetArgs;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The shared memory of idempotency keys in Redis: {@code SET NX PX} claims, {@code GET} reads. Works with any Redis since
 * 2.6.12, a single server or a cluster: each command is about one key.
 *
 * <p>A circuit keeps Redis from delaying publishes: the first command that fails or takes longer than
 * {@code timeout} opens it, and from then on {@link #available} says no until a {@code PING} in the background has been
 * answered. So an outage delays those publishes by {@code timeout} that are under way when it begins, and no other.
 * Commands are never queued for a connection that is gone. Any thread.
 */
public final class RedisKeys implements SharedKeys, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(RedisKeys.class);

    /** Commands on their way; Redis answers some hundred thousand a second, so this is some tens of milliseconds. */
    private static final int MAX_PENDING = 8_192;

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(2);
    private static final Duration RECONNECT_AT_MOST = Duration.ofSeconds(1);
    private static final String REMOVE_IF =
            "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

    private final ClientResources resources;
    private final RedisClient client;
    private final RedisNodes nodes;
    private final Duration timeout;
    private final Duration probe;
    private final ScheduledExecutorService prober = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("redis-probe").factory());
    private final AtomicBoolean open = new AtomicBoolean(true);
    private final Counter failures;
    private volatile @Nullable Link link;
    private volatile boolean closing;
    private volatile boolean told; // that it is away, since it was last there

    /** What commands go over: one server, or a cluster, where each key is at its slot's node. */
    private record Link(
            StatefulConnection<String, String> connection,
            RedisClusterAsyncCommands<String, String> commands,
            @Nullable RedisClusterClient cluster) {}

    /**
     * Not yet connected.
     *
     * @param timeout longest that a command may take
     * @param probe how often an absent Redis is looked for
     */
    public RedisKeys(String url, Duration timeout, Duration probe, MeterRegistry meters) {
        this.nodes =
                RedisNodes.of(url, "tidegate-ingest", CONNECT_TIMEOUT); // of the handshake; commands have their own
        this.timeout = timeout;
        this.probe = probe;
        this.failures = Counter.builder("tidegate.ingest.redis.failures")
                .description("Redis commands that failed or took too long")
                .register(meters);
        this.resources = ClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                .reconnectDelay(Delay.exponential(Duration.ofMillis(50), RECONNECT_AT_MOST, 2, TimeUnit.MILLISECONDS))
                .build();
        this.client = RedisClient.create(resources);
        this.client.setOptions(options(ClientOptions.builder()).build());
    }

    private <B extends ClientOptions.Builder> B options(B builder) {
        builder.autoReconnect(true)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(MAX_PENDING)
                .timeoutOptions(TimeoutOptions.enabled(timeout))
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(CONNECT_TIMEOUT)
                        .keepAlive(true)
                        .build());
        return builder;
    }

    /** Connects in the background. */
    public void start() {
        prober.execute(this::probe);
    }

    @Override
    public boolean available() {
        return !open.get();
    }

    @Override
    public CompletionStage<String> claim(String key, String marker, Duration ttl) {
        Link c = link;
        if (c == null) {
            return absent();
        }
        SetArgs args = SetArgs.Builder.nx().px(ttl.toMillis());
        return watched(c.commands().set(key, marker, args))
                .thenCompose(
                        set -> set != null ? CompletableFuture.completedStage("") : afterRefusal(key, marker, ttl));
    }

    /** Somebody has it; if it has just expired, the claim is tried once more. */
    private CompletionStage<String> afterRefusal(String key, String marker, Duration ttl) {
        return read(key)
                .thenCompose(
                        value -> value.isEmpty() ? claim(key, marker, ttl) : CompletableFuture.completedStage(value));
    }

    @Override
    public CompletionStage<String> read(String key) {
        Link c = link;
        return c == null ? absent() : watched(c.commands().get(key)).thenApply(v -> v == null ? "" : v);
    }

    @Override
    public CompletionStage<?> store(String key, String value, Duration ttl) {
        Link c = link;
        return c == null ? absent() : watched(c.commands().set(key, value, SetArgs.Builder.px(ttl.toMillis())));
    }

    @Override
    public CompletionStage<?> removeIf(String key, String value) {
        Link c = link;
        return c == null
                ? absent()
                : watched(c.commands().<Long>eval(REMOVE_IF, ScriptOutputType.INTEGER, new String[] {key}, value));
    }

    @Override
    public void close() {
        closing = true;
        prober.shutdownNow();
        Link l = link;
        if (l != null && l.cluster() != null) {
            l.cluster().shutdown(0, 1, TimeUnit.SECONDS);
        }
        client.shutdown(0, 1, TimeUnit.SECONDS);
        var _ = resources.shutdown(0, 1, TimeUnit.SECONDS);
    }

    private static <T> CompletionStage<T> absent() {
        return CompletableFuture.failedStage(new IllegalStateException("not connected to Redis"));
    }

    private <T extends @Nullable Object> CompletionStage<T> watched(CompletionStage<T> command) {
        return command.whenComplete((value, error) -> {
            if (error != null) {
                failures.increment();
                trip(error);
            }
        });
    }

    private void trip(Throwable error) {
        if (open.compareAndSet(false, true) && !closing) {
            log.warn(
                    "Redis at {} does not answer ({}): idempotency keys are remembered by this instance alone",
                    nodes,
                    String.valueOf(error.getMessage()));
            told = true;
            schedule();
        }
    }

    private void schedule() {
        try {
            if (!closing) {
                var _ = prober.schedule(this::probe, probe.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (RejectedExecutionException e) {
            log.debug("Not probed: closing");
        }
    }

    /** Connects if need be and asks for a sign of life; closes the circuit when there is one, else comes again. */
    private void probe() {
        Link c = link;
        CompletionStage<Link> connected = c != null ? CompletableFuture.completedStage(c) : connect();
        connected.thenCompose(x -> x.commands().ping()).whenComplete((pong, error) -> {
            if (closing) {
                return;
            }
            if (error == null) {
                open.set(false);
                told = false;
                log.info("Redis at {} answers: idempotency keys are shared", nodes);
                return;
            }
            if (!told) {
                told = true;
                log.warn(
                        "Redis at {} is not there ({}): idempotency keys are remembered by this instance alone",
                        nodes,
                        String.valueOf(error.getMessage()));
            }
            schedule();
        });
    }

    private CompletionStage<Link> connect() {
        return nodes.<Link>link(
                        client,
                        single -> CompletableFuture.completedStage(new Link(single, single.async(), null)),
                        this::cluster)
                .whenComplete((fresh, error) -> {
                    if (error == null) {
                        link = fresh;
                    }
                });
    }

    private CompletionStage<Link> cluster() {
        return nodes.inCluster(
                resources,
                options(ClusterClientOptions.builder()),
                cluster -> cluster.connectAsync(StringCodec.UTF8).thenApply(c -> new Link(c, c.async(), cluster)));
    }
}

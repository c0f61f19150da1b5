package dev.tidegate.gateway.presence;

import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.redis.RedisNodes;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.BaseRedisAsyncCommands;
import io.lettuce.core.api.async.RedisScriptingAsyncCommands;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.Delay;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store in Redis, 5 or newer: a single server, or a cluster. All keys of a channel share its hash tag, so each script works on one slot:
 *
 * <pre>
 * tidegate:&lt;topic&gt;:presence:{channel}:leases      sorted set: gateway -> when its lease ends, by Redis' clock
 * tidegate:&lt;topic&gt;:presence:{channel}:members     hash: member -> connections at all gateways
 * tidegate:&lt;topic&gt;:presence:{channel}:version     when somebody came or left last
 * tidegate:&lt;topic&gt;:presence:{channel}:at:&lt;gateway&gt;  hash: member -> connections at that gateway
 * </pre>
 *
 * <p>Keys live for {@link #KEY_LEASES} leases beyond their last use: what all gateways have left is gone by itself. A change publishes the
 * channel's name on {@code tidegate:<topic>:presence:<channel>}; the message is a hint, the state is what counts.
 *
 * <p>The first command that fails or takes longer than {@link #TIMEOUT} makes the store count as away, until a {@code PING} is answered.
 * Any thread; nothing blocks.
 */
final class RedisPresence implements PresenceStore {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPresence.class);

    /** Longest that a command may take. */
    static final Duration TIMEOUT = Duration.ofSeconds(2);

    private static final Duration RECONNECT_AT_MOST = Duration.ofSeconds(1);
    private static final Duration PROBE = Duration.ofMillis(300);

    /** Commands on their way, of at most {@code MAX_CALLS} of the directory, and watches. */
    private static final int MAX_PENDING = 8_192;

    /** Longer than a lease and a renewal: whoever clears what a dead gateway left needs its hash to know what that is. */
    private static final int KEY_LEASES = 4;

    private final String prefix;
    private final String gateway;
    private final PresenceSettings settings;
    private final Duration timeout;
    private final RedisNodes nodes;
    private final ClientResources resources;
    private final RedisClient client;
    private final ScheduledExecutorService prober = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("presence-probe").factory());
    private final Set<String> watched = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean away = new AtomicBoolean(true);
    private volatile @Nullable Link link;
    private volatile @Nullable Listener listener;
    private volatile boolean closing;
    private volatile boolean told; // that it is away, since it was last there

    /** What commands go over. */
    private record Link(
            StatefulConnection<String, String> connection,
            RedisScriptingAsyncCommands<String, String> scripts,
            BaseRedisAsyncCommands<String, String> base,
            StatefulRedisPubSubConnection<String, String> subscriptions,
            @Nullable RedisClusterClient cluster) {}

    /**
     * Not yet connected.
     *
     * @param topic the fan-out topic: two installations may share a Redis
     * @param gateway of this process and no other, before or after it
     * @param timeout how long a command may take; {@link #TIMEOUT} but in tests, for which a slow machine is no Redis that is away
     */
    RedisPresence(String url, String topic, String gateway, PresenceSettings settings, Duration timeout) {
        this.prefix = "tidegate:" + topic + ":presence:";
        this.gateway = gateway;
        this.settings = settings;
        this.nodes = RedisNodes.of(url, "tidegate-gateway-presence", timeout);
        this.resources = ClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                .reconnectDelay(Delay.exponential(Duration.ofMillis(50), RECONNECT_AT_MOST, 2, TimeUnit.MILLISECONDS))
                .build();
        this.client = RedisClient.create(resources);
        this.timeout = timeout;
        this.client.setOptions(options(ClientOptions.builder(), timeout).build());
    }

    private static <B extends ClientOptions.Builder> B options(B builder, Duration timeout) {
        builder.autoReconnect(true)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .requestQueueSize(MAX_PENDING)
                .timeoutOptions(TimeoutOptions.enabled(timeout))
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(true)
                        .build());
        return builder;
    }

    // ---- connecting

    @Override
    public void start(Listener toldTo) {
        listener = toldTo;
        prober.execute(this::probe);
    }

    private void probe() {
        Link l = link;
        CompletionStage<Link> linked = l == null ? connect() : CompletableFuture.completedStage(l);
        linked.thenCompose(x -> x.base().ping()).whenComplete((pong, error) -> {
            if (closing) {
                return;
            }
            if (error == null) {
                told = false;
                away.set(false);
                LOG.info("Redis at {} answers: presence is there", nodes);
                Listener toldTo = listener;
                if (toldTo != null) {
                    toldTo.connected();
                }
            } else {
                tellAway(error);
                schedule();
            }
        });
    }

    private void schedule() {
        try {
            if (!closing) {
                var _ = prober.schedule(this::probe, PROBE.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (RejectedExecutionException e) {
            LOG.debug("Not probed: closing");
        }
    }

    private CompletionStage<Link> connect() {
        return nodes.link(client, this::single, this::cluster).thenApply(fresh -> {
            fresh.subscriptions().addListener(new RedisPubSubAdapter<>() {
                @Override
                public void message(String channel, String message) {
                    Listener toldTo = listener;
                    if (toldTo != null) {
                        toldTo.changed(message);
                    }
                }
            });
            link = fresh;
            subscribe(fresh);
            return fresh;
        });
    }

    private CompletionStage<Link> single(StatefulRedisConnection<String, String> connection) {
        return client.connectPubSubAsync(StringCodec.UTF8, nodes.current())
                .thenApply(s -> new Link(connection, connection.async(), connection.async(), s, null));
    }

    private CompletionStage<Link> cluster() {
        return nodes.inCluster(
                resources,
                options(ClusterClientOptions.builder(), timeout),
                cluster -> cluster.connectAsync(StringCodec.UTF8)
                        .thenCompose(c -> cluster.connectPubSubAsync(StringCodec.UTF8)
                                .thenApply(s -> new Link(c, c.async(), c.async(), s, cluster))));
    }

    private void subscribe(Link fresh) {
        List<String> all = List.copyOf(watched);
        if (!all.isEmpty()) {
            var _ = fresh.subscriptions()
                    .async()
                    .subscribe(all.stream().map(c -> prefix + c).toArray(String[]::new));
        }
    }

    private void failed(Throwable error) {
        if (away.compareAndSet(false, true) && !closing) {
            Listener toldTo = listener;
            if (toldTo != null) {
                toldTo.disconnected();
            }
            tellAway(error);
            schedule();
        }
    }

    private void tellAway(Throwable error) {
        if (!told && !closing) {
            told = true;
            LOG.warn(
                    "Redis at {} does not answer ({}): nobody is told who is present",
                    nodes,
                    String.valueOf(error.getMessage()));
        }
    }

    // ---- what it is for

    @Override
    public void watch(String channel, boolean wanted) {
        boolean news = wanted ? watched.add(channel) : watched.remove(channel);
        Link l = link;
        if (!news || l == null) {
            return; // all of them once there is a connection; Lettuce repeats them when it connects again
        }
        var commands = l.subscriptions().async();
        CompletionStage<Void> told =
                wanted ? commands.subscribe(prefix + channel) : commands.unsubscribe(prefix + channel);
        var _ = told.exceptionally(e -> {
            LOG.debug("{} is not watched, but looked at with each renewal: {}", channel, e.getMessage());
            return null;
        });
    }

    @Override
    public CompletionStage<Boolean> update(String channel, Map<String, Integer> connections, boolean anew) {
        List<String> arguments = new ArrayList<>(5 + 2 * connections.size());
        arguments.add(Long.toString(keyMillis()));
        arguments.add(prefix + channel);
        arguments.add(channel);
        arguments.add(gateway);
        arguments.add(Long.toString(settings.lease().toMillis()));
        arguments.add(anew ? "1" : "0");
        connections.forEach((member, n) -> {
            arguments.add(member);
            arguments.add(Integer.toString(n));
        });
        return this.<Long>run(PresenceScripts.UPDATE, ScriptOutputType.INTEGER, channel, gateway, arguments)
                .thenApply(done -> done >= 0);
    }

    @Override
    public CompletionStage<Renewal> renew(String channel) {
        return this.<List<Object>>run(
                        PresenceScripts.RENEW,
                        ScriptOutputType.MULTI,
                        channel,
                        gateway,
                        List.of(
                                Long.toString(keyMillis()),
                                gateway,
                                Long.toString(settings.lease().toMillis())))
                .thenApply(a -> new Renewal((Long) a.get(0) == 1, Long.parseLong((String) a.get(1)), texts(a.get(2))));
    }

    @Override
    public CompletionStage<State> read(String channel, int limit) {
        return this.<List<Object>>run(
                        PresenceScripts.READ,
                        ScriptOutputType.MULTI,
                        channel,
                        gateway,
                        List.of(Integer.toString(limit)))
                .thenApply(a -> {
                    List<String> page = texts(a.get(1));
                    Map<String, Long> members = LinkedHashMap.newLinkedHashMap(page.size() / 2);
                    for (int i = 0; i + 1 < page.size(); i += 2) {
                        members.put(page.get(i), Long.parseLong(page.get(i + 1)));
                    }
                    return new State((Long) a.get(0), members, texts(a.get(2)));
                });
    }

    @Override
    public CompletionStage<Boolean> clear(String channel, String ended) {
        return this.<Long>run(
                        PresenceScripts.CLEAR,
                        ScriptOutputType.INTEGER,
                        channel,
                        ended,
                        List.of(Long.toString(keyMillis()), prefix + channel, channel, ended))
                .thenApply(left -> left > 0);
    }

    @Override
    public CompletionStage<?> release(String channel) {
        return this.<Long>run(
                PresenceScripts.RELEASE,
                ScriptOutputType.INTEGER,
                channel,
                gateway,
                List.of(gateway, Long.toString(settings.grace().toMillis())));
    }

    private long keyMillis() {
        return KEY_LEASES * settings.lease().toMillis();
    }

    private static List<String> texts(Object answer) {
        List<String> texts = new ArrayList<>();
        for (Object o : (List<?>) answer) {
            texts.add(String.valueOf(o));
        }
        return texts;
    }

    /** The keys of a channel, with the part of that gateway. */
    String[] keys(String channel, String of) {
        String c = prefix + "{" + channel + "}:";
        return new String[] {c + "leases", c + "members", c + "version", c + "at:" + of};
    }

    private <T> CompletionStage<T> run(
            PresenceScripts.Script script, ScriptOutputType type, String channel, String of, List<String> arguments) {
        Link l = link;
        if (l == null) {
            return CompletableFuture.failedStage(new IllegalStateException("not connected to Redis"));
        }
        String[] keys = keys(channel, of);
        String[] values = arguments.toArray(String[]::new);
        CompletionStage<T> first = l.scripts().evalsha(script.digest(), type, keys, values);
        return first.exceptionallyCompose(e -> RedisNodes.unwrapped(e) instanceof RedisNoScriptException
                        ? l.scripts().<T>eval(script.text(), type, keys, values)
                        : CompletableFuture.failedStage(e))
                .whenComplete((answer, error) -> {
                    if (error != null) {
                        failed(RedisNodes.unwrapped(error));
                    }
                });
    }

    @Override
    public void close() {
        closing = true;
        prober.shutdownNow();
        Link l = link;
        if (l != null && l.cluster() != null) {
            l.cluster().shutdown(Duration.ZERO, Duration.ofSeconds(1));
        }
        client.shutdown(Duration.ZERO, Duration.ofSeconds(1));
        var _ = resources.shutdown(0, 1, TimeUnit.SECONDS);
    }
}

package dev.tidegate.redis;

import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.RedisClusterURIUtil;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.resource.ClientResources;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * The servers that {@code tidegate.redis.url} names: one, or some nodes of a cluster, {@code redis://a:7000,b:7000}. With
 * several, whoever starts or connects again while one of them is away gets to the cluster by the next. Any thread.
 */
public final class RedisNodes {
    /** How old a client's picture of a cluster may get when nothing tells it that it is wrong. */
    private static final Duration REFRESH = Duration.ofSeconds(10);

    /** Least time between two looks that a redirection or a broken connection asks for. */
    private static final Duration REFRESH_AGAIN = Duration.ofSeconds(1);

    private static final String VERSION = "redis_version:";
    private static final int SHARDED_SINCE = 7;

    private final List<RedisURI> all;
    private final AtomicInteger at = new AtomicInteger();

    private RedisNodes(List<RedisURI> all) {
        this.all = all;
    }

    /**
     * Those of a URL.
     *
     * @param clientName what the servers list the connections as
     * @param timeout of a connection's handshake
     */
    public static RedisNodes of(String url, String clientName, Duration timeout) {
        List<RedisURI> all = url.startsWith("redis-") || !url.contains(",")
                ? List.of(RedisURI.create(url))
                : List.copyOf(RedisClusterURIUtil.toRedisURIs(URI.create(url)));
        for (RedisURI uri : all) {
            uri.setTimeout(timeout);
            uri.setClientName(clientName);
        }
        return new RedisNodes(all);
    }

    /** All of them, in the order of the URL. */
    public List<RedisURI> all() {
        return all;
    }

    /** The one to be asked. */
    public RedisURI current() {
        return all.get(Math.floorMod(at.get(), all.size()));
    }

    /** That one does not answer: the next is to be asked. */
    public void next() {
        at.incrementAndGet();
    }

    /** Host and port of the one that is asked, without what may be secret. */
    @Override
    public String toString() {
        RedisURI uri = current();
        return uri.getSentinels().isEmpty() ? uri.getHost() + ":" + uri.getPort() : "sentinels";
    }

    /**
     * Connects to the one to be asked and makes a link of that, or, where it is a node of a cluster, one to the cluster in its
     * place. A connection that was made for nothing is closed: left alone it would connect again for ever. After a failure the
     * next one is to be asked.
     *
     * @param cluster usually {@link #inCluster}
     */
    public <L> CompletionStage<L> link(
            RedisClient client,
            Function<StatefulRedisConnection<String, String>, CompletionStage<L>> single,
            Supplier<CompletionStage<L>> cluster) {
        return client.connectAsync(StringCodec.UTF8, current())
                .thenCompose(server -> {
                    CompletionStage<Boolean> isCluster = isCluster(server);
                    return isCluster
                            .thenCompose(is -> is ? cluster.get() : single.apply(server))
                            .whenComplete((link, error) -> {
                                if (error != null
                                        || isCluster.toCompletableFuture().join()) {
                                    var _ = server.closeAsync();
                                }
                            });
                })
                .whenComplete((link, error) -> {
                    if (error != null) {
                        next();
                    }
                });
    }

    /**
     * Makes a client of the cluster and, once it knows which node has what, a link of that. After a failure the client is ended.
     *
     * @param options but for {@link #refresh}
     */
    public <L> CompletionStage<L> inCluster(
            ClientResources resources,
            ClusterClientOptions.Builder options,
            Function<RedisClusterClient, CompletionStage<L>> connect) {
        RedisClusterClient cluster = RedisClusterClient.create(resources, all);
        cluster.setOptions(options.topologyRefreshOptions(refresh()).build());
        return cluster.refreshPartitionsAsync()
                .thenCompose(x -> connect.apply(cluster))
                .whenComplete((link, error) -> {
                    if (error != null) {
                        var _ = cluster.shutdownAsync();
                    }
                });
    }

    /** Whether this server is a node of a cluster. One that does not allow {@code INFO} is taken for a single server. */
    static CompletionStage<Boolean> isCluster(StatefulRedisConnection<?, ?> server) {
        CompletionStage<String> info = server.async().info("server");
        return info.thenApply(RedisNodes::tellsOfCluster)
                .exceptionallyCompose(e -> unwrapped(e) instanceof RedisCommandExecutionException
                        ? CompletableFuture.completedStage(false)
                        : CompletableFuture.failedStage(e));
    }

    static boolean tellsOfCluster(String info) {
        return info.lines().anyMatch(l -> l.strip().toLowerCase(Locale.ROOT).equals("redis_mode:cluster"));
    }

    /**
     * Whether a server with this answer to {@code INFO server} is of a cluster with sharded Pub/Sub: 7 or later. Publisher and
     * subscriber must find the same, or copies are lost: older clusters copy a message to all their nodes, newer ones leave it with its shard.
     */
    public static boolean hasShardedPubSub(String info) {
        return tellsOfCluster(info)
                && info.lines()
                                .map(String::strip)
                                .filter(line -> line.startsWith(VERSION))
                                .mapToInt(line -> major(line.substring(VERSION.length())))
                                .findFirst()
                                .orElse(0)
                        >= SHARDED_SINCE;
    }

    /** Of a numbering that is not Redis' own: 0, for the classic commands are everywhere. */
    private static int major(String version) {
        int dot = version.indexOf('.');
        String number = dot < 0 ? version : version.substring(0, dot);
        return number.matches("\\d{1,4}") ? Integer.parseInt(number) : 0;
    }

    /** The failure itself, without what a stage wraps around it. */
    public static Throwable unwrapped(Throwable e) {
        return e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
    }

    /** When a client looks at a cluster anew: now and then, and at once (but not more than once a second) when a node sends it elsewhere or is gone. */
    public static ClusterTopologyRefreshOptions refresh() {
        return ClusterTopologyRefreshOptions.builder()
                .enablePeriodicRefresh(REFRESH)
                .adaptiveRefreshTriggersTimeout(REFRESH_AGAIN)
                .refreshTriggersReconnectAttempts(1)
                .build();
    }
}

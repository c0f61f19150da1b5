package dev.tidegate.gateway.backplane;

import dev.tidegate.protocol.FallbackCopy;
import dev.tidegate.redis.RedisNodes;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisChannelHandler;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisConnectionStateListener;
import io.lettuce.core.RedisException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.SlotHash;
import io.lettuce.core.cluster.models.partitions.ClusterPartitionParser;
import io.lettuce.core.cluster.models.partitions.Partitions;
import io.lettuce.core.cluster.models.partitions.RedisClusterNode;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.pubsub.RedisPubSubAdapter;
import io.lettuce.core.pubsub.StatefulRedisPubSubConnection;
import io.lettuce.core.resource.ClientResources;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The subscribed connections to Redis, kept as they should be by a thread that looks at them every two seconds, and at once
 * when one breaks: one connection to a server that is no cluster, or a cluster older than 7 (whose Pub/Sub reaches every
 * node); one per master that owns some of the channels in a cluster of 7 or newer (sharded Pub/Sub). Lettuce's own
 * reconnecting is off: it does not see a half-open link, and does not follow a shard's channel to another node.
 */
final class RedisLinks implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RedisLinks.class);
    private static final Duration TIMEOUT = Duration.ofSeconds(2);
    private static final long LOOK_MS = 2_000;
    private static final long LOOK_AWAY_MS = 250;

    private final List<RedisURI> seeds;
    private final String topic;
    private final IntSupplier partitions;
    private final Consumer<byte[]> onMessage;
    private final ClientResources resources;
    private final RedisClient client;
    private final Thread thread = new Thread(this::run, "redis-watch");
    private final Semaphore wake = new Semaphore(0);
    private final Map<Node, Link> links = new HashMap<>();
    private @Nullable StatefulRedisConnection<String, String> control;
    private RedisURI controlled; // where it goes, or went
    private List<Node> masters = List.of(); // of the cluster, when it was last looked at
    private boolean sharded;
    private volatile boolean running = true;
    private volatile boolean live;
    private boolean told;

    private record Node(String host, int port) {}

    /** One subscribed connection and the channels that have been asked for on it. */
    private record Link(StatefulRedisPubSubConnection<byte[], byte[]> connection, Set<String> channels) {}

    /**
     * @param partitions of the topic, 0 while it is not known
     * @param onMessage takes each message on Lettuce's loop, and may not wait
     */
    RedisLinks(String url, String topic, IntSupplier partitions, Consumer<byte[]> onMessage) {
        this.seeds = RedisNodes.of(url, "tidegate-gateway", TIMEOUT).all();
        this.controlled = seeds.getFirst();
        this.topic = topic;
        this.partitions = partitions;
        this.onMessage = onMessage;
        this.resources = ClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                .build();
        this.client = RedisClient.create(resources);
        this.client.setOptions(ClientOptions.builder()
                .autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(TIMEOUT)
                        .keepAlive(true)
                        .build())
                .build());
        this.client.addListener(new RedisConnectionStateListener() {
            @Override
            public void onRedisConnected(RedisChannelHandler<?, ?> connection, SocketAddress address) {
                // We connected it.
            }

            @Override
            public void onRedisDisconnected(RedisChannelHandler<?, ?> connection) {
                wake.release();
            }
        });
    }

    void start() {
        thread.setDaemon(true);
        thread.start();
    }

    boolean live() {
        return live;
    }

    private void run() {
        try {
            while (running) {
                look();
                boolean _ = wake.tryAcquire(live ? LOOK_MS : LOOK_AWAY_MS, TimeUnit.MILLISECONDS);
                wake.drainPermits();
            }
        } catch (InterruptedException e) {
            LOG.debug("Redis watch interrupted", e);
        }
        drop();
    }

    private void look() throws InterruptedException {
        try {
            boolean whole = keep();
            tell(whole, null);
            live = whole;
        } catch (RedisException | ExecutionException | TimeoutException | IllegalArgumentException e) {
            live = false;
            tell(false, e);
            drop();
        } catch (RuntimeException e) {
            live = false;
            LOG.error("The links to Redis cannot be kept, trying again", e);
            drop();
        }
    }

    private void tell(boolean whole, @Nullable Exception e) {
        if (whole && !live) {
            LOG.info(
                    "Listening to Redis: {} partitions, {}",
                    partitions.getAsInt(),
                    sharded ? "sharded over " + links.size() + " nodes" : "one connection");
            told = false;
        } else if (e != null && !told && running) {
            told = true;
            LOG.warn("Redis is away; live delivery is Kafka's alone: {}", e.toString());
        }
    }

    private void tellOfNode(Node node, Exception e) {
        if (node.host().isEmpty()) {
            tell(false, e);
        } else if (!told && running) {
            told = true;
            LOG.warn("A node of Redis, {}:{}, is away; others go on: {}", node.host(), node.port(), e.toString());
        }
    }

    /** Makes the links what they should be and asks each for a sign of life; false if there is nothing to listen to yet. */
    private boolean keep() throws InterruptedException, ExecutionException, TimeoutException {
        Map<Node, Set<String>> plan = plan();
        for (Node node : List.copyOf(links.keySet())) {
            Link link = links.get(node);
            if (link != null && (!plan.containsKey(node) || !link.connection.isOpen())) {
                links.remove(node);
                var _ = link.connection.closeAsync();
            }
        }
        boolean whole = !plan.isEmpty();
        for (Map.Entry<Node, Set<String>> e : plan.entrySet()) {
            try {
                keep(e.getKey(), e.getValue());
            } catch (RedisException | ExecutionException | TimeoutException failure) {
                whole = false; // of one node: the others go on
                tellOfNode(e.getKey(), failure);
                Link link = links.remove(e.getKey());
                if (link != null) {
                    var _ = link.connection.closeAsync();
                }
            }
        }
        return whole;
    }

    private void keep(Node node, Set<String> wanted) throws InterruptedException, ExecutionException, TimeoutException {
        Link link = links.get(node);
        if (link == null) {
            link = new Link(connect(node), new HashSet<>());
            links.put(node, link);
        }
        var commands = link.connection.async();
        Set<String> gone = new HashSet<>(link.channels);
        gone.removeAll(wanted);
        if (!gone.isEmpty()) {
            byte[][] names = names(gone);
            await(sharded ? commands.sunsubscribe(names) : commands.unsubscribe(names));
            link.channels.removeAll(gone);
        }
        if (sharded) {
            // Each time, and one by one: one that a moved slot has ended is made again, and several slots in one
            // command
            // are an error.
            for (String name : wanted) {
                await(commands.ssubscribe(name.getBytes(StandardCharsets.UTF_8)));
            }
        } else if (!link.channels.containsAll(wanted)) {
            await(commands.subscribe(names(wanted)));
        }
        link.channels.addAll(wanted);
        await(commands.ping());
    }

    private static byte[][] names(Set<String> channels) {
        return channels.stream().map(c -> c.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
    }

    private static void await(RedisFuture<?> answer) throws InterruptedException, ExecutionException, TimeoutException {
        var _ = answer.get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    }

    private StatefulRedisPubSubConnection<byte[], byte[]> connect(Node node)
            throws InterruptedException, ExecutionException, TimeoutException {
        StatefulRedisPubSubConnection<byte[], byte[]> c = client.connectPubSubAsync(ByteArrayCodec.INSTANCE, uri(node))
                .toCompletableFuture()
                .get(2 * TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        c.addListener(new RedisPubSubAdapter<>() {
            @Override
            public void message(byte[] channel, byte[] message) {
                onMessage.accept(message);
            }

            @Override
            public void smessage(byte[] channel, byte[] message) {
                onMessage.accept(message);
            }
        });
        return c;
    }

    /** As configured, but for the address where a cluster has named one. */
    private RedisURI uri(Node node) {
        if (node.host().isEmpty()) {
            return controlled;
        }
        return RedisURI.builder(seeds.getFirst())
                .withHost(node.host())
                .withPort(node.port())
                .build();
    }

    /** Which channels are to be listened to at which node; empty while the topic is not known. */
    private Map<Node, Set<String>> plan() throws InterruptedException, ExecutionException, TimeoutException {
        StatefulRedisConnection<String, String> c = control();
        List<String> channels = new ArrayList<>();
        for (int p = 0, n = partitions.getAsInt(); p < n; p++) {
            channels.add(FallbackCopy.redisChannel(topic, p));
        }
        if (channels.isEmpty()) {
            return Map.of();
        }
        if (!sharded) {
            return Map.of(new Node("", 0), new HashSet<>(channels));
        }
        Partitions nodes = ClusterPartitionParser.parse(clusterNodes(c));
        nodes.updateCache();
        masters = nodes.stream()
                .filter(n -> n.is(RedisClusterNode.NodeFlag.UPSTREAM))
                .map(n -> new Node(n.getUri().getHost(), n.getUri().getPort()))
                .toList();
        Map<Node, Set<String>> plan = new LinkedHashMap<>();
        for (String channel : channels) {
            RedisClusterNode master = nodes.getMasterBySlot(SlotHash.getSlot(channel));
            if (master == null) {
                throw new RedisException("no node has the slot of " + channel);
            }
            RedisURI at = master.getUri();
            plan.computeIfAbsent(new Node(at.getHost(), at.getPort()), n -> new HashSet<>())
                    .add(channel);
        }
        return plan;
    }

    /** Asks one node, and where that does not answer another: while one is away, what is listened to at the others goes on. */
    private String clusterNodes(StatefulRedisConnection<String, String> first)
            throws InterruptedException, ExecutionException, TimeoutException {
        try {
            return first.async().clusterNodes().get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("{}:{} does not tell of its cluster", controlled.getHost(), controlled.getPort(), e);
            dropControl();
            return control().async().clusterNodes().get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
        }
    }

    private StatefulRedisConnection<String, String> control()
            throws InterruptedException, ExecutionException, TimeoutException {
        StatefulRedisConnection<String, String> c = control;
        if (c != null && c.isOpen()) {
            return c;
        }
        c = connectToAny();
        control = c;
        boolean nowSharded = false;
        try {
            nowSharded = RedisNodes.hasShardedPubSub(
                    c.async().info("server").get(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS));
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof RedisCommandExecutionException)) {
                throw e;
            }
            LOG.debug("INFO is not allowed: taken for a single server", e);
        }
        if (nowSharded != sharded) {
            sharded = nowSharded;
            dropLinks();
        }
        return c;
    }

    /** To a seed or another node that is known, the last one that was asked last. */
    private StatefulRedisConnection<String, String> connectToAny()
            throws InterruptedException, ExecutionException, TimeoutException {
        Set<RedisURI> candidates = new LinkedHashSet<>(seeds);
        masters.forEach(m -> candidates.add(uri(m)));
        candidates.remove(controlled);
        candidates.add(controlled);
        for (Iterator<RedisURI> i = candidates.iterator(); ; ) {
            RedisURI candidate = i.next();
            try {
                StatefulRedisConnection<String, String> c = client.connectAsync(StringCodec.UTF8, candidate)
                        .toCompletableFuture()
                        .get(2 * TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
                controlled = candidate;
                return c;
            } catch (ExecutionException | TimeoutException e) {
                if (!i.hasNext()) {
                    throw e;
                }
                LOG.debug("{}:{} does not answer", candidate.getHost(), candidate.getPort(), e);
            }
        }
    }

    private void drop() {
        dropLinks();
        dropControl();
    }

    private void dropControl() {
        StatefulRedisConnection<String, String> c = control;
        control = null;
        if (c != null) {
            var _ = c.closeAsync();
        }
    }

    private void dropLinks() {
        links.values().forEach(l -> {
            var _ = l.connection.closeAsync();
        });
        links.clear();
    }

    @Override
    public void close() {
        running = false;
        wake.release();
        try {
            thread.join(TIMEOUT.toMillis() / 4);
            thread.interrupt();
            thread.join(TIMEOUT.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        client.shutdown(Duration.ZERO, TIMEOUT);
        var _ = resources.shutdown(0, TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    }
}

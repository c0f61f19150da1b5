package dev.tidegate.testsupport;

import dev.tidegate.backends.BackendKind;
import dev.tidegate.backends.DataFolder;
import dev.tidegate.backends.EmbeddedRedis;
import dev.tidegate.backends.Ports;
import dev.tidegate.backends.StartFailure;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A Redis cluster of so many masters on loopback, without replicas, the slots shared evenly. It is the embedded Redis, so
 * of a version without sharded Pub/Sub. Not thread-safe.
 */
public final class RedisCluster implements AutoCloseable {
    private static final int SLOTS = 16_384;
    private static final int TRIES = 5;
    private static final long FORMED_WITHIN_NANOS = 60_000_000_000L;
    private static final long ASK_EVERY_NANOS = 50_000_000L;
    private static final int TIMEOUT_MS = 30_000;

    /** A node's bus listens this much above its port. */
    private static final int BUS = 10_000;

    /** So that the bus, too, lies below what outgoing connections are given; see {@link Ports#free}. */
    private static final int PORT_BELOW = 22_000;

    private final List<EmbeddedRedis> nodes;

    private RedisCluster(List<EmbeddedRedis> nodes) {
        this.nodes = nodes;
    }

    /**
     * Starts the nodes and waits until each of them knows who has which slots.
     *
     * @param masters two or more
     */
    public static RedisCluster start(int masters) {
        List<EmbeddedRedis> nodes = new ArrayList<>();
        RedisCluster cluster = new RedisCluster(nodes);
        try {
            for (int i = 0; i < masters; i++) {
                nodes.add(node());
            }
            cluster.form();
            return cluster;
        } catch (RuntimeException e) {
            cluster.close();
            throw e;
        }
    }

    private static EmbeddedRedis node() {
        for (int i = 0; ; i++) {
            int port = Ports.free();
            if (port >= PORT_BELOW || !Ports.isFree("127.0.0.1", port + BUS)) {
                continue;
            }
            DataFolder data = DataFolder.open(Path.of("target", "test-backends", Backends.unique("cluster")));
            try {
                return EmbeddedRedis.start(
                        data.claim(BackendKind.REDIS),
                        port,
                        // Longer than a busy machine stands still: a node that takes the other one for dead serves
                        // nobody.
                        Map.of("cluster-enabled", "yes", "cluster-node-timeout", "10000", "appendonly", "no"));
            } catch (StartFailure e) {
                if (i == TRIES) {
                    throw e; // else somebody was faster with one of the ports
                }
            }
        }
    }

    private void form() {
        int n = nodes.size();
        for (int i = 0; i < n; i++) {
            String slots = IntStream.range(SLOTS * i / n, SLOTS * (i + 1) / n)
                    .mapToObj(Integer::toString)
                    .collect(Collectors.joining(" "));
            ask(i, "CLUSTER ADDSLOTS " + slots);
            if (i > 0) {
                ask(i, "CLUSTER MEET 127.0.0.1 " + nodes.getFirst().port());
            }
        }
        long deadline = System.nanoTime() + FORMED_WITHIN_NANOS;
        for (int i = 0; i < n; i++) {
            while (!ask(i, "CLUSTER INFO").contains("cluster_state:ok")) {
                if (System.nanoTime() - deadline > 0) {
                    throw new AssertionError("the cluster has not formed: " + ask(i, "CLUSTER INFO"));
                }
                LockSupport.parkNanos(ASK_EVERY_NANOS);
            }
        }
    }

    /** One inline command; the answer as it comes, which is enough for what is asked here. */
    private String ask(int node, String command) {
        try (Socket socket = new Socket()) {
            socket.connect(
                    new InetSocketAddress(
                            InetAddress.getLoopbackAddress(), nodes.get(node).port()),
                    TIMEOUT_MS);
            socket.setSoTimeout(TIMEOUT_MS);
            socket.getOutputStream().write((command + "\r\nQUIT\r\n").getBytes(StandardCharsets.US_ASCII));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A URL that names all nodes, the first one first. */
    public String url() {
        return "redis://"
                + nodes.stream().map(node -> "127.0.0.1:" + node.port()).collect(Collectors.joining(","));
    }

    @Override
    public void close() {
        nodes.forEach(EmbeddedRedis::close);
    }
}

package dev.tidegate.backends;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Exit;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.apache.kafka.server.common.MetadataVersion;

/**
 * Kafka's own server in this JVM: broker and controller in one (KRaft), on loopback, for one machine; alone, or one of
 * several that are told of each other.
 *
 * <p>Kafka ends its process when it cannot go on. Here that process has other tenants, so its exits are caught (for the whole JVM, from the
 * first start on): the start fails, or {@link #ended()} completes.
 */
public final class EmbeddedKafka implements Backend {

    /** Recovery of the log after a crash is part of the start. */
    private static final Duration READY_WITHIN = Duration.ofMinutes(2);

    private static final String NODE_ID = "node.id";
    private static final String CLUSTER_ID = "cluster.id";
    private static final String VOTERS = "controller.quorum.voters";
    private static final String LINK_PORT = "link.port";
    private static final String LINK_ADVERTISED_PORT = "link.advertised.port";

    /** Those that {@code server.properties} does not know: they are ours, and taken out before Kafka reads the rest. */
    private static final Set<String> OURS = Set.of(CLUSTER_ID, LINK_PORT, LINK_ADVERTISED_PORT);

    private static final String CONTROLLER_LISTENER = "CONTROLLER";
    private static final String LINK_LISTENER = "LINK";

    /** Those of this JVM that run, to be told when Kafka wants to exit; it does not say which one does. */
    private static final Set<Run> RUNNING = ConcurrentHashMap.newKeySet();

    private final Claim claim;
    private final KafkaRaftServer server;
    private final int port;
    private final Run run;

    /** One server from its start to its end; compared by identity. */
    private static final class Run {
        final CompletableFuture<String> ended = new CompletableFuture<>();
    }

    private EmbeddedKafka(Claim claim, KafkaRaftServer server, int port, Run run) {
        this.claim = claim;
        this.server = server;
        this.port = port;
        this.run = run;
    }

    /**
     * Starts it and waits until it takes connections.
     *
     * @param claim becomes this backend's; given back when it ends or does not start
     * @param port 0 for a free one
     * @param settings laid over ours, by the names of {@code server.properties}. For one broker of several: {@code node.id},
     *     {@code controller.quorum.voters} (its own entry says where its controller listens) and {@code cluster.id}, the same for all. For a
     *     proxy before it: {@code link.port}, where it listens for the proxy, and {@code link.advertised.port}, where the proxy listens;
     *     clients that come by the proxy are sent back to it, and others are not
     * @throws StartFailure when it does not come up
     */
    public static EmbeddedKafka start(Claim claim, int port, Map<String, String> settings) {
        catchExits();
        Run run = new Run();
        RUNNING.add(run);
        try {
            int chosen = Ports.orFree(port);
            Path folder = claim.formatted(fresh -> format(fresh, settings));
            if (!Files.exists(folder.resolve("meta.properties"))) {
                throw new StartFailure(DataFolder.damaged(folder, "no meta.properties in it"));
            }
            KafkaRaftServer server = startServer(properties(folder, chosen, settings), run, claim);
            return new EmbeddedKafka(claim, server, chosen, run);
        } catch (RuntimeException e) {
            RUNNING.remove(run);
            claim.close();
            throw e;
        }
    }

    private static void catchExits() {
        Exit.Procedure caught = (code, message) -> {
            String how = "Kafka gave up" + (message == null ? "" : ": " + message) + " (exit code " + code + ")";
            RUNNING.forEach(run -> run.ended.complete(how));
            throw new IllegalStateException(how);
        };
        Exit.setExitProcedure(caught);
        Exit.setHaltProcedure(caught);
    }

    /** The settings of a broker that is reached through a proxy as well: see {@link #start}. */
    public static Map<String, String> behindLink(int port, int advertisedPort) {
        return Map.of(LINK_PORT, Integer.toString(port), LINK_ADVERTISED_PORT, Integer.toString(advertisedPort));
    }

    private static void format(Path folder, Map<String, String> settings) throws IOException {
        try {
            new Formatter()
                    .setPrintStream(new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8))
                    .setClusterId(
                            settings.getOrDefault(CLUSTER_ID, Uuid.randomUuid().toString()))
                    .setNodeId(nodeId(settings))
                    .setReleaseVersion(MetadataVersion.latestProduction())
                    .setControllerListenerName(CONTROLLER_LISTENER)
                    .setMetadataLogDirectory(folder.toString())
                    .addDirectory(folder.toString())
                    .run();
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }

    private static int nodeId(Map<String, String> settings) {
        return number(NODE_ID, settings.getOrDefault(NODE_ID, "1"));
    }

    private static int number(String name, String value) {
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException e) {
            throw new StartFailure(name + ": " + value + " (expected: a number)", e);
        }
    }

    /** Where its controller listens: as its entry in the list of voters says, or anywhere when there is no list. */
    private static int controllerPort(Map<String, String> settings) {
        String own = nodeId(settings) + "@";
        return Arrays.stream(settings.getOrDefault(VOTERS, "").split(",", -1))
                .map(String::strip)
                .filter(voter -> voter.startsWith(own))
                .findFirst()
                .map(voter -> number(VOTERS, voter.substring(voter.lastIndexOf(':') + 1)))
                // Static voters are not stored with the data, so the controller may have another port at each start.
                .orElseGet(Ports::free);
    }

    private static Map<String, String> properties(Path folder, int port, Map<String, String> settings) {
        int controllerPort = controllerPort(settings);
        String listeners = "PLAINTEXT://127.0.0.1:" + port;
        String advertised = listeners;
        if (settings.containsKey(LINK_PORT)) {
            listeners += "," + LINK_LISTENER + "://127.0.0.1:" + settings.get(LINK_PORT);
            advertised += "," + LINK_LISTENER + "://127.0.0.1:" + settings.get(LINK_ADVERTISED_PORT);
        }
        Map<String, String> all = new HashMap<>();
        all.put("process.roles", "broker,controller");
        all.put(NODE_ID, "1");
        all.put("listeners", listeners + "," + CONTROLLER_LISTENER + "://127.0.0.1:" + controllerPort);
        all.put("advertised.listeners", advertised);
        all.put("inter.broker.listener.name", "PLAINTEXT");
        all.put(
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT," + LINK_LISTENER + ":PLAINTEXT," + CONTROLLER_LISTENER + ":PLAINTEXT");
        all.put("controller.listener.names", CONTROLLER_LISTENER);
        all.put(VOTERS, nodeId(settings) + "@127.0.0.1:" + controllerPort);
        all.put("log.dirs", folder.toString());
        // A topic that nobody declared is a mistake, and ingest creates its own with the right number of partitions.
        all.put("auto.create.topics.enable", "false");
        all.put("default.replication.factor", "1");
        all.put("min.insync.replicas", "1");
        all.put("offsets.topic.replication.factor", "1");
        all.put("transaction.state.log.replication.factor", "1");
        all.put("transaction.state.log.min.isr", "1");
        all.put("share.coordinator.state.topic.replication.factor", "1");
        all.put("share.coordinator.state.topic.min.isr", "1");
        // 50 partitions each by default: files and start time that one node has no use for.
        all.put("offsets.topic.num.partitions", "4");
        all.put("transaction.state.log.num.partitions", "4");
        all.put("share.coordinator.state.topic.num.partitions", "1");
        all.put("group.initial.rebalance.delay.ms", "0");
        // Retention is looked at every 5 min by default; at a small topic it costs nothing to see it within seconds.
        all.put("log.retention.check.interval.ms", "5000");
        all.put("log.initial.task.delay.ms", "5000");
        // After a crash the controller, in the same process, waits this long for the broker that it remembers before it
        // takes
        // the new one: 9 s by default.
        all.put("broker.session.timeout.ms", "3000");
        all.put("broker.heartbeat.interval.ms", "500");
        // 128 MiB of heap by default, for compacting topics of a size that is not ours.
        all.put("log.cleaner.dedupe.buffer.size", Integer.toString(8 << 20));
        all.put("num.network.threads", "2");
        all.put("num.io.threads", "4");
        all.put("background.threads", "2");
        all.putAll(settings);
        all.keySet().removeAll(OURS);
        return all;
    }

    private static KafkaRaftServer startServer(Map<String, String> properties, Run run, Claim claim) {
        CompletableFuture<KafkaRaftServer> starting = new CompletableFuture<>();
        // On a thread of its own: a fault on one of Kafka's threads leaves startup() waiting for what never comes.
        Thread thread = Thread.ofPlatform().daemon().name("kafka-start").start(() -> {
            try {
                KafkaRaftServer server = new KafkaRaftServer(new KafkaConfig(properties, false), Time.SYSTEM);
                server.startup();
                starting.complete(server);
            } catch (Throwable e) {
                starting.completeExceptionally(e);
            }
        });
        try {
            CompletableFuture.anyOf(starting, run.ended).get(READY_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
            if (run.ended.isDone()) {
                throw new StartFailure(
                        DataFolder.damaged(claim.folder(), run.ended.getNow("Kafka gave up") + "; see " + claim.log()));
            }
            return starting.join();
        } catch (ExecutionException e) {
            throw new StartFailure(
                    DataFolder.damaged(
                            claim.folder(), "Kafka says: " + StartFailure.rootLine(e) + "; see " + claim.log()),
                    e);
        } catch (TimeoutException e) {
            throw new StartFailure(
                    "Kafka did not start within " + READY_WITHIN.toMinutes() + " min (see " + claim.log() + ")");
        } catch (InterruptedException e) {
            thread.interrupt();
            Thread.currentThread().interrupt();
            throw new StartFailure("interrupted while Kafka started");
        }
    }

    @Override
    public BackendKind kind() {
        return BackendKind.KAFKA;
    }

    @Override
    public int port() {
        return port;
    }

    @Override
    public long pid() {
        return ProcessHandle.current().pid();
    }

    @Override
    public CompletableFuture<String> ended() {
        return run.ended;
    }

    @Override
    public void close() {
        if (!RUNNING.remove(run)) {
            return;
        }
        Thread stopping = Thread.ofPlatform().daemon().name("kafka-stop").start(() -> {
            server.shutdown();
            server.awaitShutdown();
        });
        try {
            if (!stopping.join(GuardedProcess.STOP_WITHIN)) {
                stopping.interrupt();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        run.ended.complete("stopped");
        claim.close();
    }
}

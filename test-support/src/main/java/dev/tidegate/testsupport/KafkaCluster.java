package dev.tidegate.testsupport;

import dev.tidegate.backends.EmbeddedKafka;
import dev.tidegate.backends.Ports;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A Kafka of one or more brokers, each a controller too and a process of its own (some 300 MB), to be killed one by one or all together. Topics are
 * kept by all of them, and a topic of three goes on without one.
 *
 * <p>Each broker is also reached by a {@link FaultyLink}: who is given {@link #linkedBootstrap()} stays behind the links, whatever broker it is sent to; all
 * links are mended and broken together by {@link #links()}. Not thread-safe.
 */
public final class KafkaCluster implements AutoCloseable {

    private final List<ServiceProcess> brokers;
    private final List<FaultyLink> links;

    private KafkaCluster(List<ServiceProcess> brokers, List<FaultyLink> links) {
        this.brokers = brokers;
        this.links = links;
    }

    /** Starts so many brokers and returns at once; {@link #awaitReady()} waits. */
    public static KafkaCluster launch(int size) {
        int most = Math.min(size, 3);
        List<Integer> ports = freePorts(4 * size);
        String clusterId = Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(UUID.randomUUID().toString().substring(0, 16).getBytes(StandardCharsets.US_ASCII));
        Map<String, String> common = new HashMap<>(Map.of(
                "cluster.id",
                clusterId,
                "controller.quorum.voters",
                IntStream.range(0, size)
                        .mapToObj(i -> (i + 1) + "@127.0.0.1:" + ports.get(4 * i))
                        .collect(Collectors.joining(","))));
        for (String kind : List.of("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")) {
            common.put(kind + ".replication.factor", Integer.toString(most));
        }
        common.put("default.replication.factor", Integer.toString(most));
        List<ServiceProcess> brokers = new ArrayList<>();
        List<FaultyLink> links = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            int linkPort = ports.get(4 * i + 2);
            int advertised = ports.get(4 * i + 3);
            links.add(FaultyLink.between(advertised, linkPort));
            brokers.add(ServiceProcess.of(Kind.KAFKA)
                    .port(ports.get(4 * i + 1))
                    .jvm("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
                    .kafkaSettings(common)
                    .kafkaSettings(Map.of("node.id", Integer.toString(i + 1)))
                    .kafkaSettings(EmbeddedKafka.behindLink(linkPort, advertised))
                    .launch());
        }
        return new KafkaCluster(List.copyOf(brokers), List.copyOf(links));
    }

    private static List<Integer> freePorts(int count) {
        LinkedHashSet<Integer> ports = new LinkedHashSet<>();
        while (ports.size() < count) {
            ports.add(Ports.free());
        }
        return List.copyOf(ports);
    }

    /** The brokers, to be killed, frozen and started. */
    public List<ServiceProcess> brokers() {
        return brokers;
    }

    /** One link for each broker. */
    public List<FaultyLink> links() {
        return links;
    }

    /** For those who are to reach it directly. */
    public String bootstrap() {
        return brokers.stream().map(broker -> "127.0.0.1:" + broker.port()).collect(Collectors.joining(","));
    }

    /** For those who are to reach it through the links. */
    public String linkedBootstrap() {
        return links.stream().map(link -> "127.0.0.1:" + link.port()).collect(Collectors.joining(","));
    }

    /** SIGKILL for every broker that runs. */
    public void kill() {
        brokers.stream().filter(ServiceProcess::isAlive).forEach(ServiceProcess::kill);
    }

    /** Starts those that do not run and waits until all are ready. */
    public void start() {
        brokers.stream().filter(broker -> !broker.isAlive()).forEach(ServiceProcess::startOnly);
        awaitReady();
    }

    /** Waits until every broker takes connections. */
    public void awaitReady() {
        brokers.forEach(ServiceProcess::awaitReady);
    }

    /** Thaws what is frozen, mends every link, and starts what is dead. */
    public void restore() {
        brokers.stream().filter(ServiceProcess::isAlive).forEach(ServiceProcess::thaw);
        links.forEach(FaultyLink::pass);
        start();
    }

    /** Stops it, all brokers at the same time: one by one they would wait for each other. */
    @Override
    public void close() {
        List<Thread> stops = brokers.stream()
                .map(broker -> Thread.ofPlatform().name("stop-broker").start(broker::close))
                .toList();
        @Nullable InterruptedException interrupted = null;
        for (Thread stop : stops) {
            try {
                stop.join();
            } catch (InterruptedException e) {
                interrupted = e;
            }
        }
        links.forEach(FaultyLink::close);
        if (interrupted != null) {
            Thread.currentThread().interrupt();
        }
    }
}

package dev.tidegate.it;

import dev.tidegate.testsupport.Backends;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.UnaryOperator;

/**
 * Ingest, replay and one or more gateways on a fan-out topic of their own, each a process started from its executable jar. They end with this JVM,
 * however that ends. Not thread-safe.
 */
final class Services implements AutoCloseable {

    /** Few, so that channels share partitions and partitions share nothing; still more than one, so that a stream spans several. */
    static final int PARTITIONS = 4;

    private static Services quiet;
    private static Services drilled;

    private final Topic topic;
    private final ServiceProcess ingest;
    private final ServiceProcess replay;
    private final List<ServiceProcess> gateways;

    private Services(Builder builder) {
        topic = new Topic(builder.backends.get("TIDEGATE_KAFKA"), builder.topic);
        ingest = builder.process(Kind.INGEST);
        replay = builder.process(Kind.REPLAY);
        Map<String, String> others = new LinkedHashMap<>(ingest.address());
        others.putAll(replay.address());
        gateways = new ArrayList<>();
        for (int i = 0; i < builder.gateways; i++) {
            Map<String, String> own = builder.gatewayEnvironment.getOrDefault(i, Map.of());
            gateways.add(builder.process(Kind.GATEWAY, others, gateway -> gateway.environment(own)));
        }
        awaitReady();
    }

    /** The set that no test disturbs. */
    static synchronized Services quiet() {
        if (quiet == null) {
            quiet = on(Backends.shared().environment(), "quiet").patient().start();
        }
        return quiet;
    }

    /** The set whose parts tests kill, with two gateways; whatever a test left dead or frozen is brought back first. */
    static synchronized Services drilled() {
        if (drilled == null) {
            drilled = on(Backends.shared().environment(), "drilled")
                    .gateways(2)
                    .unhedged()
                    // What a killed gateway leaves is waited for; one that only stands still on a busy machine keeps
                    // it.
                    .gatewayProperty("tidegate.presence.lease", "10s")
                    .start();
        } else {
            drilled.restore();
        }
        return drilled;
    }

    /** Services on these backends, on a new topic. */
    static Builder on(Map<String, String> backends, String topicPrefix) {
        return new Builder(backends, Backends.unique(topicPrefix));
    }

    /** What can be said before the start. */
    static final class Builder {
        private final Map<String, String> backends;
        private final String topic;
        private final Map<String, String> environment = new LinkedHashMap<>();
        private final Map<String, Object> gatewayProperties = new LinkedHashMap<>();
        private final Map<String, Object> ingestProperties = new LinkedHashMap<>();
        private final Map<Integer, Map<String, String>> gatewayEnvironment = new HashMap<>();
        private int gateways = 1;
        private UnaryOperator<ServiceProcess.Builder> adjust = UnaryOperator.identity();

        private Builder(Map<String, String> backends, String topic) {
            this.backends = backends;
            this.topic = topic;
        }

        Builder gateways(int count) {
            gateways = count;
            return this;
        }

        Builder environment(String name, String value) {
            environment.put(name, value);
            return this;
        }

        /** A property of the gateways alone. */
        Builder gatewayProperty(String name, Object value) {
            gatewayProperties.put(name, value);
            return this;
        }

        /** A property of ingest alone. */
        Builder ingestProperty(String name, Object value) {
            ingestProperties.put(name, value);
            return this;
        }

        /**
         * For backends that nobody breaks: a slow moment of the machine counts as an outage of none of them, so publishers get 201, and
         * idempotency keys are shared.
         */
        Builder patient() {
            return unhedged()
                    .ingestProperty("tidegate.ingest.publish.delivery-timeout", "30s")
                    .ingestProperty("tidegate.ingest.redis.timeout", "30s")
                    .ingestProperty("tidegate.ingest.idempotency.redis-timeout", "10s")
                    .ingestProperty("tidegate.ingest.idempotency.in-flight-wait", "30s");
        }

        /**
         * Copies over Redis wait longer for their records than a machine under load stands still: else a pause of the gateway would be taken
         * for one of Kafka, and an event come provisionally, or before one that was written straight into Kafka.
         */
        Builder unhedged() {
            return gatewayProperty("tidegate.gateway.redis.hedge-after", "30s");
        }

        /** Environment of the gateway with this number alone, laid over that of all. */
        Builder gatewayEnvironment(int index, Map<String, String> variables) {
            gatewayEnvironment.put(index, variables);
            return this;
        }

        /** Applied to each process before it starts. */
        Builder each(UnaryOperator<ServiceProcess.Builder> change) {
            adjust = change;
            return this;
        }

        Services start() {
            return new Services(this);
        }

        private ServiceProcess process(Kind kind) {
            return process(kind, Map.of(), UnaryOperator.identity());
        }

        /** Launches one more process of these services. */
        ServiceProcess process(Kind kind, Map<String, String> others, UnaryOperator<ServiceProcess.Builder> change) {
            ServiceProcess.Builder process = ServiceProcess.of(kind)
                    .environment(backends)
                    .environment(others)
                    .environment(environment)
                    .property("tidegate.fanout.topic", topic)
                    .property("tidegate.fanout.partitions", PARTITIONS)
                    // One for each fan-out topic of a cluster.
                    .property("tidegate.rehome.group", topic + "-rehome");
            if (kind == Kind.GATEWAY) {
                gatewayProperties.forEach(process::property);
            } else if (kind == Kind.INGEST) {
                ingestProperties.forEach(process::property);
            }
            return change.apply(adjust.apply(process)).launch();
        }
    }

    /** Waits until every process is ready. */
    void awaitReady() {
        // Ingest first: it makes the topic, and when it cannot, its log says why and the others only wait.
        ingest.awaitReady();
        replay.awaitReady();
        gateways.forEach(ServiceProcess::awaitReady);
    }

    /** Thaws what is frozen, starts what is dead, and waits until all are ready. */
    void restore() {
        for (ServiceProcess process : all()) {
            if (process.isAlive()) {
                process.thaw();
            } else {
                process.startOnly();
            }
        }
        awaitReady();
    }

    private List<ServiceProcess> all() {
        List<ServiceProcess> all = new ArrayList<>(List.of(ingest, replay));
        all.addAll(gateways);
        return all;
    }

    Topic topic() {
        return topic;
    }

    ServiceProcess ingest() {
        return ingest;
    }

    ServiceProcess replay() {
        return replay;
    }

    ServiceProcess gateway() {
        return gateways.getFirst();
    }

    ServiceProcess gateway(int index) {
        return gateways.get(index);
    }

    /** Calls ingest over HTTP. */
    Publisher publisher() {
        return new Publisher(ingest.url());
    }

    @Override
    public void close() {
        CompletableFuture<?>[] stops = all().stream()
                .map(process -> CompletableFuture.runAsync(
                        process::close, task -> Thread.ofVirtual().start(task))) // all at once, on two cores too
                .toArray(CompletableFuture<?>[]::new);
        try {
            CompletableFuture.allOf(stops).join();
        } catch (CompletionException e) {
            throw new AssertionError("a service did not stop", e);
        } finally {
            topic.close();
        }
    }
}

package dev.tidegate.testsupport;

import java.util.List;
import java.util.Map;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.kafka.KafkaContainer;
import org.testcontainers.lifecycle.Startables;

/** Backends in containers; Testcontainers' own reaper removes them when the JVM has gone. Images are those of the infrastructure folder. */
final class ContainerBackends implements Backends {

    private static final String KAFKA_IMAGE = "apache/kafka:4.3.1";
    private static final String REDIS_IMAGE = "redis:8-alpine";
    private static final String POSTGRES_IMAGE = "postgres:18-alpine";
    private static final int REDIS_PORT = 6379;
    private static final int POSTGRES_PORT = 5432;

    private final KafkaContainer kafka;
    private final GenericContainer<?> redis;
    private final GenericContainer<?> postgres;

    private ContainerBackends(KafkaContainer kafka, GenericContainer<?> redis, GenericContainer<?> postgres) {
        this.kafka = kafka;
        this.redis = redis;
        this.postgres = postgres;
    }

    // Closed by the reaper, not by us: they live as long as the JVM.
    @SuppressWarnings("resource")
    static ContainerBackends start() {
        KafkaContainer kafka = new KafkaContainer(KAFKA_IMAGE)
                .withEnv(Map.of(
                        "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false",
                        "KAFKA_LOG_RETENTION_CHECK_INTERVAL_MS", "500",
                        "KAFKA_LOG_INITIAL_TASK_DELAY_MS", "500",
                        "KAFKA_LOG_SEGMENT_DELETE_DELAY_MS", "500"));
        GenericContainer<?> redis = new GenericContainer<>(REDIS_IMAGE).withExposedPorts(REDIS_PORT);
        GenericContainer<?> postgres = new GenericContainer<>(POSTGRES_IMAGE)
                .withEnv("POSTGRES_HOST_AUTH_METHOD", "trust")
                .withExposedPorts(POSTGRES_PORT)
                // Once from the start that prepares the folder, once from the one that stays.
                .waitingFor(Wait.forLogMessage(".*database system is ready to accept connections.*", 2));
        Startables.deepStart(List.of(kafka, redis, postgres)).join();
        return new ContainerBackends(kafka, redis, postgres);
    }

    @Override
    public String kafka() {
        return kafka.getBootstrapServers().replaceFirst("^PLAINTEXT://", "");
    }

    @Override
    public String redis() {
        return "redis://" + redis.getHost() + ":" + redis.getMappedPort(REDIS_PORT);
    }

    @Override
    public String postgres() {
        return "postgresql://postgres@" + postgres.getHost() + ":" + postgres.getMappedPort(POSTGRES_PORT)
                + "/postgres";
    }
}

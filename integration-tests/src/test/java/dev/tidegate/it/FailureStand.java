package dev.tidegate.it;

import dev.tidegate.testsupport.FaultyLink;
import dev.tidegate.testsupport.KafkaCluster;
import dev.tidegate.testsupport.ServiceProcess;
import dev.tidegate.testsupport.ServiceProcess.Kind;
import java.util.List;
import java.util.Map;

/**
 * All of Tidegate with backends of its own, everything to be broken: three brokers, Redis, PostgreSQL, ingest, replay, and two gateways. The second
 * gateway reaches Kafka and Redis through faulty links, everybody else directly. Started once for all drills that break backends.
 */
final class FailureStand {

    private static FailureStand shared;

    private final KafkaCluster kafka;
    private final ServiceProcess redis;
    private final ServiceProcess postgres;
    private final FaultyLink redisLink;
    private final Services services;

    private FailureStand() {
        kafka = KafkaCluster.launch(3);
        redis = ServiceProcess.of(Kind.REDIS).launch();
        postgres = ServiceProcess.of(Kind.POSTGRES).launch();
        redisLink = FaultyLink.to(redis.port());
        kafka.awaitReady();
        redis.awaitReady();
        postgres.awaitReady();
        services = Services.on(
                        Map.of(
                                "TIDEGATE_KAFKA",
                                kafka.bootstrap(),
                                "TIDEGATE_REDIS",
                                "redis://127.0.0.1:" + redis.port(),
                                "TIDEGATE_POSTGRES",
                                postgres.address().get("TIDEGATE_POSTGRES")),
                        "failing")
                .gateways(2)
                .gatewayProperty("tidegate.auth.hs256-secret", Tokens.SECRET)
                .gatewayEnvironment(
                        1,
                        Map.of(
                                "TIDEGATE_KAFKA",
                                kafka.linkedBootstrap(),
                                "TIDEGATE_REDIS",
                                "redis://127.0.0.1:" + redisLink.port()))
                .each(process -> process.property("tidegate.fanout.replication", 3))
                .start();
    }

    /** The one stand, with everything in it whole. */
    static synchronized FailureStand whole() {
        if (shared == null) {
            shared = new FailureStand();
        } else {
            shared.restore();
        }
        return shared;
    }

    private void restore() {
        redisLink.pass();
        for (ServiceProcess backend : List.of(redis, postgres)) {
            if (backend.isAlive()) {
                backend.thaw();
            } else {
                backend.startOnly();
            }
        }
        kafka.restore();
        redis.awaitReady();
        postgres.awaitReady();
        services.restore();
    }

    KafkaCluster kafka() {
        return kafka;
    }

    ServiceProcess redis() {
        return redis;
    }

    ServiceProcess postgres() {
        return postgres;
    }

    /** The second gateway's way to Redis. */
    FaultyLink redisLink() {
        return redisLink;
    }

    Services services() {
        return services;
    }
}

package dev.tidegate.gateway;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.backplane.KafkaTailer;
import dev.tidegate.gateway.backplane.RedisTailer;
import dev.tidegate.gateway.config.AuthSettings;
import dev.tidegate.gateway.config.FanoutSettings;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.config.NamespaceSettings;
import dev.tidegate.gateway.config.PresenceSettings;
import dev.tidegate.gateway.config.RedisSettings;
import dev.tidegate.gateway.fanout.Deliveries;
import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.gateway.fanout.FallbackDispatcher;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.HedgeRing;
import dev.tidegate.gateway.metrics.GatewayMeters;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.presence.PresenceService;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.gateway.session.DurableStore;
import dev.tidegate.gateway.session.EventPublisher;
import dev.tidegate.gateway.session.LoopShard;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.gateway.session.SessionLimits;
import dev.tidegate.gateway.session.Shards;
import dev.tidegate.gateway.transport.EventLoops;
import dev.tidegate.gateway.transport.GatewayCore;
import dev.tidegate.gateway.transport.calls.HttpDurableStore;
import dev.tidegate.gateway.transport.calls.HttpEventPublisher;
import dev.tidegate.gateway.transport.calls.HttpReplaySource;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.buffer.ByteBufAllocator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;

/** The composition root: the service around it ({@link ServiceConfiguration}) and, here, the core. */
@SpringBootConfiguration(proxyBeanMethods = false)
@Import(ServiceConfiguration.class)
class GatewayConfiguration {
    /** Most resumes of one connection that fetch at once. */
    private static final int MERGES_PER_CONNECTION = 32;

    /** Most unanswered publishes of one connection. */
    private static final int PUBLISHES_PER_CONNECTION = 64;

    @Bean
    GatewayMetrics gatewayMetrics() {
        return new GatewayMetrics();
    }

    @Bean
    GatewayMeters gatewayMeters(GatewayMetrics metrics) {
        return new GatewayMeters(metrics);
    }

    @Bean
    SessionLimits sessionLimits(GatewaySettings settings, AccessPolicy policy) {
        SessionLimits.Kept kept = new SessionLimits.Kept(
                settings.limits().conflatedSubjects(),
                Math.ceilDiv(settings.limits().conflatedBytes().toBytes(), settings.effectiveLoops()));
        return new SessionLimits(
                (int) settings.heartbeat().toMillis(),
                (int) settings.limits().maxFrameBytes().toBytes(),
                settings.limits().subscriptionsPerConnection(),
                MERGES_PER_CONNECTION,
                PUBLISHES_PER_CONNECTION,
                (int) settings.connectTimeout().toMillis(),
                !policy.anonymousAllowed(),
                ReplayMerge.Limits.DEFAULT,
                kept,
                (int) settings.limits().loopDelay().toMillis());
    }

    @Bean
    ReplaySource replaySource(EventLoops loops, GatewaySettings settings, AuthSettings auth, GatewayMetrics metrics) {
        return new HttpReplaySource(loops.loops(), settings.replay(), auth.serviceToken(), metrics);
    }

    @Bean
    EventPublisher eventPublisher(EventLoops loops, GatewaySettings settings, AuthSettings auth) {
        return new HttpEventPublisher(loops.loops(), settings.ingest(), auth.serviceToken());
    }

    @Bean
    DurableStore durableStore(EventLoops loops, GatewaySettings settings, AuthSettings auth) {
        return new HttpDurableStore(loops.loops(), settings.replay(), auth.serviceToken());
    }

    @Bean
    Presence presence(
            EventLoops loops,
            NamespaceSettings namespaces,
            PresenceSettings settings,
            RedisSettings redis,
            FanoutSettings fanout,
            MeterRegistry registry) {
        Set<String> with = new HashSet<>();
        namespaces.namespaces().forEach((name, ns) -> {
            if (ns.presence()) {
                with.add(name);
            }
        });
        if (with.isEmpty()) {
            return Presence.NONE;
        }
        PresenceService service = new PresenceService(
                with, settings, redis.url(), fanout.topic(), loops.loops().size());
        service.bindTo(registry);
        return service;
    }

    @Bean
    RunningCore runningCore(
            EventLoops loops,
            SessionLimits limits,
            AccessPolicy policy,
            TokenVerifier verifier,
            ReplaySource replay,
            EventPublisher publisher,
            DurableStore cursors,
            Presence presence,
            GatewayMetrics metrics,
            FanoutSettings fanout,
            GatewaySettings settings,
            NamespaceSettings namespaces,
            RedisSettings redis) {
        TailMotion motion = new TailMotion();
        Shards shards = new Shards(
                loops.group(),
                new LoopShard.Shared(
                        limits, policy, verifier, replay, publisher, cursors, presence, motion::isMoving, metrics));
        FanoutDispatcher dispatcher = new FanoutDispatcher(
                shards.all(),
                ByteBufAllocator.DEFAULT,
                (int) fanout.maxPayloadBytes().toBytes(),
                metrics,
                deflater(settings.compression()));
        if (presence instanceof PresenceService service) {
            service.start(shards.all());
        }
        KafkaTailer tailer = new KafkaTailer(
                KafkaTailer.Settings.of(
                        settings.kafka(),
                        fanout.topic(),
                        fanout.formerPartitions(),
                        settings.linger(),
                        settings.gather()),
                dispatcher);
        motion.of(tailer);
        HedgeRing ring = new HedgeRing(
                HedgeRing.Settings.of(settings.redis().hedgeAfter().toMillis()), metrics);
        RedisTailer copies = null;
        if (settings.redis().enabled()) {
            Deliveries deliveries = deliveries(namespaces);
            dispatcher.meet(ring, deliveries, System::nanoTime);
            FallbackDispatcher fallback = new FallbackDispatcher(
                    ring,
                    deliveries,
                    dispatcher::tail,
                    shards.all(),
                    ByteBufAllocator.DEFAULT,
                    (int) fanout.maxPayloadBytes().toBytes(),
                    metrics,
                    System::nanoTime);
            copies = new RedisTailer(redis.url(), fanout.topic(), fallback, metrics);
            copies.start();
        }
        tailer.start();
        return new RunningCore(shards, dispatcher, tailer, copies, ring, metrics);
    }

    private static Deliveries deliveries(NamespaceSettings namespaces) {
        Map<String, Delivery> byName = new HashMap<>();
        namespaces.namespaces().forEach((name, ns) -> byName.put(name, ns.delivery()));
        return new Deliveries(byName);
    }

    @Bean
    SourceMeters sourceMeters(RunningCore core) {
        return new SourceMeters(core);
    }

    private static @Nullable FrameDeflater deflater(GatewaySettings.Compression c) {
        return c.enabled() ? new FrameDeflater(c.level(), (int) c.threshold().toBytes()) : null;
    }

    @Bean
    GatewayCore gatewayCore(RunningCore core) {
        return new GatewayCore(
                core.shards(),
                core::partitions,
                core::layouts,
                core::epoch,
                core::connections,
                core::caughtUp,
                core::sources,
                core::drain);
    }
}

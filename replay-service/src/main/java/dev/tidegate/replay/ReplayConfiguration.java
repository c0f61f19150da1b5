package dev.tidegate.replay;

import com.sun.management.HotSpotDiagnosticMXBean;
import dev.tidegate.replay.access.Authenticator;
import dev.tidegate.replay.access.ReadPolicy;
import dev.tidegate.replay.access.TokenVerifier;
import dev.tidegate.replay.api.ApiConfiguration;
import dev.tidegate.replay.archive.Archive;
import dev.tidegate.replay.archive.ArchiveConfiguration;
import dev.tidegate.replay.config.AuthSettings;
import dev.tidegate.replay.config.CursorSettings;
import dev.tidegate.replay.config.FanoutSettings;
import dev.tidegate.replay.config.InvalidSetting;
import dev.tidegate.replay.config.KafkaSettings;
import dev.tidegate.replay.config.NamespaceSettings;
import dev.tidegate.replay.config.PostgresSettings;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.cursors.CursorStore;
import dev.tidegate.replay.kafka.KafkaClients;
import dev.tidegate.replay.kafka.RangeScans;
import dev.tidegate.replay.kafka.Tail;
import dev.tidegate.replay.kafka.TailHealth;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.metrics.MeterNames;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.replay.postgres.PostgresHealth;
import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RingMemory;
import dev.tidegate.replay.tiers.Answers;
import io.micrometer.core.instrument.MeterRegistry;
import io.r2dbc.pool.PoolMetrics;
import java.lang.management.ManagementFactory;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;

/**
 * The composition root: every part of the service, made here and nowhere else. Auto-configurations of what this service does
 * not use are excluded by name, since in {@code standalone} the class paths of all services are one.
 */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration(
        excludeName = {
            "org.springframework.boot.webflux.autoconfigure.error.ErrorWebFluxAutoConfiguration",
            "org.springframework.boot.kafka.autoconfigure.KafkaAutoConfiguration",
            "org.springframework.boot.kafka.autoconfigure.metrics.KafkaMetricsAutoConfiguration",
            "org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration",
            "org.springframework.boot.data.redis.autoconfigure.DataRedisReactiveAutoConfiguration",
            "org.springframework.boot.data.redis.autoconfigure.health.DataRedisHealthContributorAutoConfiguration",
            "org.springframework.boot.data.redis.autoconfigure.health.DataRedisReactiveHealthContributorAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.DataSourceAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.DataSourceTransactionManagerAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.JdbcTemplateAutoConfiguration",
            "org.springframework.boot.jdbc.autoconfigure.health.DataSourceHealthContributorAutoConfiguration",
            "org.springframework.boot.flyway.autoconfigure.FlywayAutoConfiguration",
            "org.springframework.boot.r2dbc.autoconfigure.R2dbcAutoConfiguration",
            "org.springframework.boot.r2dbc.autoconfigure.R2dbcTransactionManagerAutoConfiguration",
            "org.springframework.boot.r2dbc.autoconfigure.health.ConnectionFactoryHealthContributorAutoConfiguration",
            "org.springframework.boot.transaction.autoconfigure.TransactionAutoConfiguration",
            "org.springframework.boot.transaction.autoconfigure.TransactionManagerCustomizationAutoConfiguration",
        })
@EnableConfigurationProperties({
    AuthSettings.class,
    CursorSettings.class,
    FanoutSettings.class,
    KafkaSettings.class,
    NamespaceSettings.class,
    PostgresSettings.class,
    ReplaySettings.class,
})
@Import({ApiConfiguration.class, ArchiveConfiguration.class})
class ReplayConfiguration {
    private static final Logger log = LoggerFactory.getLogger(ReplayConfiguration.class);

    @Bean
    ReadPolicy readPolicy(NamespaceSettings namespaces, AuthSettings auth) {
        if (namespaces.namespaces().isEmpty()) {
            log.warn("No namespace is declared (tidegate.namespaces.<name>): no history can be read over HTTP");
        }
        return new ReadPolicy(namespaces.namespaces(), auth.anonymous());
    }

    @Bean
    TokenVerifier tokenVerifier(AuthSettings auth) {
        return new TokenVerifier(auth);
    }

    @Bean
    Authenticator authenticator(AuthSettings auth, TokenVerifier tokens) {
        if (auth.serviceToken() == null) {
            log.warn("tidegate.auth.service-token is not set: gateways cannot replay");
        }
        return new Authenticator(auth.serviceToken(), tokens);
    }

    @Bean
    ReplayMetrics replayMetrics() {
        return new ReplayMetrics();
    }

    @Bean
    KafkaClients kafkaClients(KafkaSettings kafka) {
        return new KafkaClients(kafka.bootstrapServers(), kafka.properties());
    }

    @Bean
    TopicWatch topicWatch(KafkaClients clients, FanoutSettings fanout, ReplaySettings settings) {
        return new TopicWatch(clients, fanout.topic(), settings.topicCheck());
    }

    @Bean(initMethod = "start")
    Tail tail(
            KafkaClients clients,
            TopicWatch watch,
            FanoutSettings fanout,
            ReplaySettings settings,
            NamespaceSettings namespaces,
            ReplayMetrics metrics) {
        int maxPayload = Math.toIntExact(fanout.maxPayloadBytes().toBytes());
        RingMemory ring = ring(settings.recent().bytes().toBytes(), maxPayload);
        boolean fill = settings.recent().fill();
        return new Tail(clients, watch, ring, maxPayload, fill, List.copyOf(notInMemory(namespaces)), metrics);
    }

    private static RingMemory ring(long bytes, int maxPayload) {
        String name = "tidegate.replay.recent.bytes";
        long allowed = maxDirectMemory();
        // What is left is Netty's and the Kafka clients'. Found out later, it would be an OutOfMemoryError in the
        // middle of the day.
        if (bytes > allowed * 9 / 10) {
            throw new InvalidSetting(
                    name,
                    bytes + " bytes",
                    "at most 90 % of the " + allowed
                            + " bytes of direct memory that -XX:MaxDirectMemorySize, or else -Xmx, allows");
        }
        try {
            return RingMemory.of(bytes, RecentLog.maxRecordBytes(maxPayload));
        } catch (IllegalArgumentException e) {
            throw new InvalidSetting(
                    name, bytes + " bytes", String.valueOf(e.getMessage()).replaceFirst("^.*expected: (.*)\\)$", "$1"));
        }
    }

    private static long maxDirectMemory() {
        HotSpotDiagnosticMXBean vm = ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
        long set = vm == null
                ? 0
                : Long.parseLong(vm.getVMOption("MaxDirectMemorySize").getValue());
        return set > 0 ? set : Runtime.getRuntime().maxMemory();
    }

    private static Set<String> notInMemory(NamespaceSettings namespaces) {
        Set<String> names = new HashSet<>();
        namespaces.namespaces().forEach((name, ns) -> {
            if (!ns.recent()) {
                names.add(name);
            }
        });
        return names;
    }

    @Bean
    RangeScans rangeScans(KafkaClients clients, FanoutSettings fanout, ReplaySettings settings, ReplayMetrics metrics) {
        return new RangeScans(
                clients,
                settings.scan(),
                Math.toIntExact(fanout.maxPayloadBytes().toBytes()),
                metrics);
    }

    @Bean
    Answers answers(
            Tail tail,
            Archive archive,
            RangeScans scans,
            TopicWatch watch,
            ReplaySettings settings,
            NamespaceSettings namespaces,
            ReplayMetrics metrics) {
        return new Answers(tail, archive, scans, watch, settings, notInMemory(namespaces), metrics);
    }

    @Bean(initMethod = "start")
    Postgres postgres(PostgresSettings settings) {
        return new Postgres(settings);
    }

    @Bean(initMethod = "start")
    CursorStore cursorStore(Postgres postgres, CursorSettings settings, ReplayMetrics metrics) {
        return new CursorStore(postgres, settings, metrics);
    }

    @Bean
    PostgresHealth postgresHealthIndicator(Postgres postgres) {
        return new PostgresHealth(postgres);
    }

    @Bean
    TailHealth tailHealthIndicator(Tail tail, TopicWatch watch) {
        return new TailHealth(tail, watch);
    }

    @Bean
    MeterNames meterNames(
            MeterRegistry registry,
            ReplayMetrics metrics,
            Tail tail,
            TopicWatch watch,
            RangeScans scans,
            Postgres postgres) {
        return new MeterNames(registry, metrics)
                .gauge("tail.lag", "Records not read yet", tail, of(TopicLog::lag))
                .gauge("kafka.reachable", "Whether Kafka answered last", watch, w -> w.reachable() ? 1 : 0)
                .gauge("recent.records", "Events in memory", tail, usage(RecentLog.Usage::records))
                .gauge("recent.evicted", "Events that made room", tail, usage(RecentLog.Usage::evicted))
                .gauge("recent.bytes", "Bytes of memory in use", tail, usage(RecentLog.Usage::bytes))
                .gauge("recent.channels", "Channels with an event in memory", tail, usage(RecentLog.Usage::channels))
                .gauge("recent.table.bytes", "Bytes of the channel table", tail, usage(RecentLog.Usage::tableBytes))
                .gauge("recent.allocated.bytes", "Bytes of memory taken", tail, Tail::allocatedBytes)
                .gauge("scan.active", "Scans under way", scans, RangeScans::active)
                .gauge("scan.waiting", "Requests waiting for a scan", scans, RangeScans::waiting)
                .gauge("scan.buffered.bytes", "Bytes found and not sent", scans, RangeScans::bufferedBytes)
                .gauge("postgres.up", "Whether PostgreSQL did the last work", postgres, p -> p.up() ? 1 : 0)
                .gauge("postgres.busy", "Connections at work", postgres, p -> p.pooled(PoolMetrics::acquiredSize))
                .gauge(
                        "postgres.waiting",
                        "Work without one",
                        postgres,
                        p -> p.pooled(PoolMetrics::pendingAcquireSize));
    }

    private static ToDoubleFunction<Tail> of(ToDoubleFunction<TopicLog> value) {
        return tail -> {
            TopicLog current = tail.current();
            return current == null ? 0 : value.applyAsDouble(current);
        };
    }

    private static ToDoubleFunction<Tail> usage(ToDoubleFunction<RecentLog.Usage> value) {
        return of(current -> value.applyAsDouble(current.recent().usage()));
    }
}

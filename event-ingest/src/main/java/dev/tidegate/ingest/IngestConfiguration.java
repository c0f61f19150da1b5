package dev.tidegate.ingest;

import dev.tidegate.ingest.admission.Authenticator;
import dev.tidegate.ingest.admission.IdempotencyKeys;
import dev.tidegate.ingest.admission.PublishPolicy;
import dev.tidegate.ingest.admission.RedisKeys;
import dev.tidegate.ingest.admission.TokenVerifier;
import dev.tidegate.ingest.api.ApiConfiguration;
import dev.tidegate.ingest.config.AdmissionSettings;
import dev.tidegate.ingest.config.AuthSettings;
import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.IdempotencySettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.config.NamespaceSettings;
import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.config.RedisSettings;
import dev.tidegate.ingest.config.RedisTierSettings;
import dev.tidegate.ingest.config.RehomeSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.ProducerConfiguration;
import dev.tidegate.ingest.publish.PublishMetrics;
import dev.tidegate.ingest.rehome.RehomeClients;
import dev.tidegate.ingest.rehome.Rehomer;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Clock;
import java.time.Duration;
import org.apache.kafka.clients.admin.Admin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.core.MicrometerProducerListener;

/**
 * The composition root: every part of the service, made here and nowhere else. Auto-configurations of what this service
 * does not use are excluded by name, since in {@code standalone} the class paths of all services are one.
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
    AdmissionSettings.class,
    AuthSettings.class,
    FanoutSettings.class,
    IdempotencySettings.class,
    KafkaSettings.class,
    NamespaceSettings.class,
    PostgresSettings.class,
    PublishSettings.class,
    RedisSettings.class,
    RedisTierSettings.class,
    RehomeSettings.class,
    SpoolSettings.class,
})
@Import({ApiConfiguration.class, DeliveryConfiguration.class})
class IngestConfiguration {
    private static final Logger log = LoggerFactory.getLogger(IngestConfiguration.class);

    /** What a claim outlives a delivery timeout by, so that only the key of an instance that died comes free. */
    private static final Duration CLAIM_MARGIN = Duration.ofSeconds(10);

    @Bean
    PublishPolicy publishPolicy(NamespaceSettings namespaces, AuthSettings auth) {
        if (namespaces.namespaces().isEmpty()) {
            log.warn("No namespace is declared (tidegate.namespaces.<name>): every event will be refused");
        }
        return new PublishPolicy(namespaces.namespaces(), auth.anonymous());
    }

    @Bean
    TokenVerifier tokenVerifier(AuthSettings auth) {
        return new TokenVerifier(auth, Clock.systemUTC());
    }

    @Bean
    Authenticator authenticator(AuthSettings auth, TokenVerifier tokens) {
        return new Authenticator(auth.serviceToken(), tokens);
    }

    @Bean(initMethod = "start")
    RedisKeys redisKeys(RedisSettings redis, IdempotencySettings idempotency, MeterRegistry meters) {
        return new RedisKeys(redis.url(), idempotency.redisTimeout(), idempotency.redisProbe(), meters);
    }

    @Bean
    IdempotencyKeys idempotencyKeys(
            IdempotencySettings settings, PublishSettings publish, RedisKeys redis, MeterRegistry meters) {
        return new IdempotencyKeys(settings, publish.deliveryTimeout().plus(CLAIM_MARGIN), redis, meters);
    }

    @Bean
    DefaultKafkaProducerFactory<byte[], byte[]> producerFactory(
            KafkaSettings kafka, FanoutSettings fanout, PublishSettings publish, MeterRegistry meters) {
        DefaultKafkaProducerFactory<byte[], byte[]> factory =
                new DefaultKafkaProducerFactory<>(ProducerConfiguration.producer(kafka, fanout, publish));
        factory.addListener(new MicrometerProducerListener<>(meters));
        factory.setPhysicalCloseTimeout(KafkaPath.closeSeconds(publish));
        return factory;
    }

    @Bean
    KafkaTemplate<byte[], byte[]> kafkaTemplate(DefaultKafkaProducerFactory<byte[], byte[]> factory) {
        KafkaTemplate<byte[], byte[]> template = new KafkaTemplate<>(factory);
        template.setMicrometerEnabled(false); // our own timer measures the same without a look-up per event
        template.setProducerListener(null); // the default one logs each failure with its stack trace
        return template;
    }

    @Bean(initMethod = "start")
    FanoutTopic fanoutTopic(
            KafkaSettings kafka,
            FanoutSettings fanout,
            PublishSettings publish,
            KafkaTemplate<byte[], byte[]> template,
            PublishMetrics metrics) {
        FanoutTopic topic = new FanoutTopic(
                () -> Admin.create(ProducerConfiguration.client(kafka, "tidegate-ingest-watch")),
                fanout,
                kafka.bootstrapServers(),
                publish.watchInterval(),
                () -> DeliveryConfiguration.knows(template, fanout.topic()));
        metrics.watch(topic);
        return topic;
    }

    @Bean
    PublishMetrics publishMetrics(MeterRegistry meters) {
        return new PublishMetrics(meters);
    }

    @Bean(destroyMethod = "close")
    @ConditionalOnProperty(name = "tidegate.rehome.enabled", matchIfMissing = true)
    Rehomer rehomer(
            KafkaSettings kafka,
            FanoutSettings fanout,
            RehomeSettings rehome,
            FanoutTopic topic,
            MeterRegistry meters) {
        return new Rehomer(
                RehomeClients.consumers(kafka, rehome),
                RehomeClients.producers(kafka, fanout),
                topic,
                fanout.topic(),
                rehome,
                meters);
    }
}

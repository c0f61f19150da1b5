package dev.tidegate.ingest;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.config.NamespaceSettings;
import dev.tidegate.ingest.config.NamespaceSettings.Delivery;
import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.ingest.config.RedisSettings;
import dev.tidegate.ingest.config.RedisTierSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.fallback.Copies;
import dev.tidegate.ingest.fallback.RedisCopies;
import dev.tidegate.ingest.fallback.RedisTier;
import dev.tidegate.ingest.publish.EventRecords;
import dev.tidegate.ingest.publish.FanoutPublisher;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.PublishMetrics;
import dev.tidegate.ingest.relay.Relay;
import dev.tidegate.ingest.spool.Spooling;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.kafka.KafkaException;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;

/** The ways that an event can go, and what decides between them. */
@Configuration(proxyBeanMethods = false)
class DeliveryConfiguration {
    /** Whether the producer has the topic's metadata; asks for them if not. */
    static boolean knows(KafkaTemplate<byte[], byte[]> template, String topic) {
        try {
            return !template.partitionsFor(topic).isEmpty();
        } catch (KafkaException | org.apache.kafka.common.KafkaException e) {
            return false; // it asked for the metadata; soon it has them
        }
    }

    @Bean
    EventRecords eventRecords(FanoutSettings fanout, PublishSettings publish) {
        return new EventRecords(fanout, publish);
    }

    @Bean
    FanoutPublisher fanoutPublisher(
            KafkaTemplate<byte[], byte[]> template,
            FanoutTopic topic,
            EventRecords records,
            FanoutSettings fanout,
            PublishMetrics metrics) {
        return new FanoutPublisher(template, topic, records, fanout, metrics);
    }

    @Bean
    KafkaPath kafkaPath(
            FanoutPublisher publisher,
            FanoutTopic topic,
            DefaultKafkaProducerFactory<byte[], byte[]> producers,
            KafkaTemplate<byte[], byte[]> template,
            FanoutSettings fanout,
            PublishSettings publish) {
        return new KafkaPath(publisher, topic, producers, () -> knows(template, fanout.topic()), publish);
    }

    @Bean(initMethod = "start")
    RedisTier redisTier(RedisSettings redis, FanoutSettings fanout, RedisTierSettings tier, MeterRegistry meters) {
        return new RedisTier(redis.url(), fanout.topic(), tier, meters);
    }

    @Bean(destroyMethod = "close")
    Spooling spooling(PostgresSettings postgres, SpoolSettings spool, FanoutSettings fanout, MeterRegistry meters) {
        return new Spooling(postgres, spool, fanout, meters);
    }

    @Bean(initMethod = "start", destroyMethod = "close")
    Deliveries deliveries(
            KafkaPath kafka,
            RedisTier redis,
            Spooling spooling,
            PublishSettings publish,
            SpoolSettings spool,
            RedisTierSettings tier,
            NamespaceSettings namespaces,
            MeterRegistry meters) {
        Set<String> ephemeral = namespaces.namespaces().entrySet().stream()
                .filter(e -> e.getValue().delivery() == Delivery.EPHEMERAL)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
        Deliveries deliveries = new Deliveries(
                kafka,
                new RedisCopies(redis, new Copies(publish), tier.timeout()),
                spooling.queue(),
                tier.policy(),
                ephemeral,
                new Deliveries.Limits(publish.suspectAfter(), publish.deliveryTimeout(), spool.orderPatience()),
                System::nanoTime);
        for (String state : Deliveries.stateNames()) {
            Gauge.builder(
                            "tidegate.ingest.kafka.state",
                            deliveries,
                            d -> d.stateName().equals(state) ? 1 : 0)
                    .description("1 for the state that Kafka is in, as this instance sees it")
                    .tag("state", state)
                    .register(meters);
        }
        Gauge.builder("tidegate.ingest.kafka.unacknowledged", deliveries, Deliveries::unacknowledged)
                .description("Writes that Kafka has not yet acknowledged")
                .register(meters);
        return deliveries;
    }

    /** Starts the spool's parts once everything they speak to is there. */
    @Bean
    SmartInitializingSingleton spoolStart(
            Spooling spooling,
            Deliveries deliveries,
            EventRecords records,
            KafkaSettings kafka,
            FanoutSettings fanout,
            SpoolSettings spool,
            MeterRegistry meters) {
        Relay.Limits limits =
                new Relay.Limits(spool.relayRows(), spool.relaySize().toBytes());
        return () -> spooling.start(
                deliveries, (table, around) -> new Relay(table, around, records, kafka, fanout, limits, meters));
    }

    @Bean
    IntakeHealth intakeHealthIndicator(Deliveries deliveries, FanoutTopic topic, Spooling spooling, RedisTier redis) {
        return new IntakeHealth(deliveries, topic, spooling, redis);
    }
}

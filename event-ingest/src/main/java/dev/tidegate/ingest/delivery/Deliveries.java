package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.config.NamespaceSettings;
import dev.tidegate.ingest.config.NamespaceSettings.Delivery;
import dev.tidegate.ingest.config.RedisTierSettings;
import dev.tidegate.ingest.config.RedisTierSettings.Policy;
import dev.tidegate.ingest.fallback.Copies;
import dev.tidegate.ingest.fallback.RedisTier;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.FanoutPublisher;
import dev.tidegate.ingest.publish.FanoutTopic;
import dev.tidegate.ingest.publish.PublishOutcome;
import dev.tidegate.protocol.ErrorCode;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * Takes checked events and sees to it that they get where they are to go: durable ones to Kafka, with a copy on Redis as
 * the policy says; ephemeral ones to Redis alone (ADR 110). Any thread; never blocks.
 */
public final class Deliveries {
    private final FanoutPublisher kafka;
    private final FanoutTopic topic;
    private final RedisTier redis;
    private final Copies copies;
    private final Policy policy;
    private final long redisTimeoutMillis;
    private final Set<String> ephemeral;

    public Deliveries(
            FanoutPublisher kafka,
            FanoutTopic topic,
            RedisTier redis,
            Copies copies,
            RedisTierSettings settings,
            NamespaceSettings namespaces) {
        this.kafka = kafka;
        this.topic = topic;
        this.redis = redis;
        this.copies = copies;
        this.policy = settings.policy();
        this.redisTimeoutMillis = settings.timeout().toMillis();
        this.ephemeral = namespaces.namespaces().entrySet().stream()
                .filter(e -> e.getValue().delivery() == Delivery.EPHEMERAL)
                .map(Map.Entry::getKey)
                .collect(Collectors.toUnmodifiableSet());
    }

    /** Takes an event. Events of one channel that one thread gives in order are stored in that order. */
    public CompletableFuture<PublishOutcome> deliver(Event event) {
        long now = System.currentTimeMillis();
        if (ephemeral.contains(event.channel().namespace())) {
            return sendOnly(event, now);
        }
        CompletableFuture<PublishOutcome> outcome = kafka.publish(event, now);
        // One that is refused at once (Kafka was never there) must not be seen by anybody.
        boolean refused = outcome.isDone() && outcome.join() instanceof PublishOutcome.Failed;
        if (policy == Policy.ALWAYS && !refused) {
            var _ = redis.offer(topic.partitionOf(event.channel()), copies.of(event, now, false));
        }
        return outcome;
    }

    private CompletableFuture<PublishOutcome> sendOnly(Event event, long now) {
        return redis.offer(topic.partitionOf(event.channel()), copies.of(event, now, true))
                .completeOnTimeout(RedisTier.Sent.AWAY, redisTimeoutMillis, TimeUnit.MILLISECONDS)
                .thenApply(sent -> switch (sent) {
                    case SENT -> new PublishOutcome.Sent();
                    case FULL -> unavailable("Redis is slow: as much is on its way as may be");
                    case AWAY, FAILED ->
                        unavailable("Redis cannot take the event now, and an ephemeral one goes nowhere else");
                });
    }

    private static PublishOutcome unavailable(String why) {
        return new PublishOutcome.Failed(ErrorCode.UNAVAILABLE, why, false);
    }
}

package dev.tidegate.gateway.metrics;

import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.FanoutRecord;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Shows {@link GatewayMetrics} to whoever scrapes: meters named {@code tidegate.gateway.…} that read the counters when
 * asked, so that they cost the hot path nothing.
 */
public final class GatewayMeters implements MeterBinder {
    private static final String PREFIX = "tidegate.gateway.";

    private final GatewayMetrics metrics;

    public GatewayMeters(GatewayMetrics metrics) {
        this.metrics = metrics;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        gauge(registry, "connections", metrics.connections, "Open WebSockets and event streams");
        gauge(registry, "subscriptions", metrics.subscriptions, "Subscriptions of all connections");
        counter(registry, "records.read", metrics.recordsRead, "Records read from the fan-out topic");
        counter(registry, "records.wanted", metrics.recordsWanted, "Records of channels subscribed to here");
        counter(registry, "records.misplaced", metrics.misplaced, "Records in a partition that is not their key's");
        counter(registry, "records.broken.headers", metrics.brokenHeaders, "Records whose broken headers were ignored");
        counter(registry, "delivered", metrics.delivered, "Frames handed to sockets: one per event and subscriber");
        counter(
                registry,
                "deflated.from.bytes",
                metrics.deflatedFrom,
                "Bytes of messages that were compressed, once each");
        counter(registry, "deflated.to.bytes", metrics.deflatedTo, "Bytes that compressed messages became, once each");
        counter(registry, "replayed", metrics.replayed, "Events replayed to clients");
        counter(registry, "gaps", metrics.gaps, "Gaps told to clients");
        counter(registry, "resumes.pending", metrics.pending, "Resumes that had to wait for the replay service");
        counter(registry, "resumes.local", metrics.resumedLocally, "Resumes that needed no replay service");
        counter(registry, "resumes.overflows", metrics.bufferOverflows, "Live buffers that overflowed while resuming");
        counter(registry, "parked", metrics.parked, "Times a connection took no more");
        counter(registry, "rebalanced", metrics.rebalanced, "Connections sent elsewhere because a loop was far behind");
        Gauge.builder(PREFIX + "loop.delay", metrics, GatewayMetrics::loopDelaySeconds)
                .description("How long a task waits in the queue of the busiest loop")
                .baseUnit("seconds")
                .register(registry);
        counter(registry, "replay.requests", metrics.replayRequests, "Replay requests that sessions made");
        counter(registry, "replay.asked", metrics.replayAsked, "Replay requests sent, one for all that asked the same");
        counter(registry, "replay.calls", metrics.replayCalls, "Calls that carried replay requests");
        counter(registry, "replay.refused", metrics.replayRefused, "Replay requests that found the queue full");
        counter(registry, "slow.conflated", metrics.conflated, "Newest events delivered to connections that were slow");
        counter(
                registry,
                "slow.conflation.overflows",
                metrics.conflationOverflows,
                "Newest events that a bound kept from being kept for slow connections");
        for (SlowClient policy : SlowClient.values()) {
            counter(
                    registry,
                    "slow",
                    metrics.slow(policy),
                    "Times a subscription's connection took no more",
                    "policy",
                    policy.toString());
            counter(
                    registry,
                    "slow.passed.over",
                    metrics.passedOver(policy),
                    "Events not delivered live because the connection took no more, per event and subscriber",
                    "policy",
                    policy.toString());
        }
        counter(registry, "acks", metrics.acks, "Acknowledgements of durable cursors");
        counter(registry, "acks.failed", metrics.acksFailed, "Durable cursors that were not stored");
        counter(registry, "durable.lookups", metrics.durableLookUps, "Look-ups of durable cursors");
        counter(registry, "durable.retries", metrics.durableRetries, "Look-ups of durable cursors made again");
        counter(registry, "bad.frames", metrics.badFrames, "Client frames answered with an error");
        counter(registry, "copies.received", metrics.copies, "Copies over Redis of channels subscribed to here");
        counter(registry, "copies.deduplicated", metrics.copiesDeduplicated, "Copies whose event had come before");
        counter(registry, "hedged", metrics.hedged, "Copies delivered because Kafka stood still");
        counter(registry, "provisional", metrics.provisional, "Frames of copies handed to sockets");
        counter(registry, "reconciled", metrics.reconciled, "Events told as positions to who had them already");
        counter(registry, "copies.forgotten", metrics.idsForgotten, "Provisional ids forgotten before their record");
        for (GatewayMetrics.CopyLoss cause : GatewayMetrics.CopyLoss.values()) {
            counter(
                    registry,
                    "copies.dropped",
                    metrics.copiesLost(cause),
                    "Copies over Redis that did not get on",
                    "cause",
                    cause.name().toLowerCase(Locale.ROOT));
        }
        for (FanoutRecord.Undeliverable cause : FanoutRecord.Undeliverable.values()) {
            counter(
                    registry,
                    "records.undeliverable",
                    metrics.undeliverable(cause),
                    "Records that cannot be delivered",
                    "cause",
                    cause.name().toLowerCase(Locale.ROOT));
        }
        for (CloseCode code : CloseCode.values()) {
            counter(
                    registry,
                    "closed",
                    metrics.closed(code),
                    "Connections the gateway closed",
                    "code",
                    Integer.toString(code.number()));
        }
    }

    private static void gauge(MeterRegistry registry, String name, LongAdder value, String description) {
        Gauge.builder(PREFIX + name, value, LongAdder::sum)
                .description(description)
                .register(registry);
    }

    private static void counter(MeterRegistry registry, String name, LongAdder value, String description) {
        counter(registry, name, value, description, null, "");
    }

    private static void counter(
            MeterRegistry registry,
            String name,
            LongAdder value,
            String description,
            @Nullable String tag,
            String tagValue) {
        FunctionCounter.Builder<LongAdder> builder =
                FunctionCounter.builder(PREFIX + name, value, LongAdder::sum).description(description);
        if (tag != null) {
            builder.tag(tag, tagValue);
        }
        builder.register(registry);
    }
}

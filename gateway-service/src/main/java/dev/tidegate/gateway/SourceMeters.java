package dev.tidegate.gateway;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.util.List;
import java.util.function.Supplier;

/**
 * How the gateway's sources are: {@code tidegate.gateway.source} is 1 for the state that a source is in and 0 for its
 * others; how many partitions are followed, and what is in the hedge ring. Read when asked.
 */
final class SourceMeters implements MeterBinder {
    private final RunningCore core;

    SourceMeters(RunningCore core) {
        this.core = core;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        states(registry, "kafka", List.of("live", "stalled", "away"), core::kafka);
        states(registry, "redis", List.of("live", "away", "off"), core::redis);
        Gauge.builder("tidegate.gateway.partitions", core, RunningCore::partitions)
                .description("Partitions of the fan-out topic that are followed; 0 before it has been found")
                .register(registry);
        Gauge.builder("tidegate.gateway.hedge.waiting", core, c -> c.ring().waiting())
                .description("Copies over Redis that wait for their records")
                .register(registry);
        Gauge.builder("tidegate.gateway.hedge.partitions", core, c -> c.ring().hedging())
                .description("Partitions that are delivered from copies, since Kafka stands still")
                .register(registry);
    }

    private static void states(MeterRegistry registry, String source, List<String> states, Supplier<String> now) {
        for (String state : states) {
            Gauge.builder("tidegate.gateway.source", now, s -> s.get().equals(state) ? 1 : 0)
                    .description("1 for the state that the source is in")
                    .tag("source", source)
                    .tag("state", state)
                    .strongReference(true)
                    .register(registry);
        }
    }
}

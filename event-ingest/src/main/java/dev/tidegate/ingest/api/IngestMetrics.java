package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.InFlightLimit;
import dev.tidegate.protocol.ErrorCode;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Map;

/**
 * The meters of this package; names in {@code docs/event-ingest.md}. Any thread.
 *
 * <ul>
 *   <li>{@code tidegate.ingest.events} counter, {@code outcome} = stored | repeated | an error code
 *   <li>{@code tidegate.ingest.inflight.requests}, {@code tidegate.ingest.inflight.bytes} gauges
 * </ul>
 */
final class IngestMetrics {
    private static final String EVENTS = "tidegate.ingest.events";

    private final Counter stored;
    private final Counter repeated;
    private final Map<ErrorCode, Counter> refused = new EnumMap<>(ErrorCode.class);

    IngestMetrics(MeterRegistry registry, InFlightLimit room) {
        stored = counter(registry, "stored");
        repeated = counter(registry, "repeated");
        for (ErrorCode code : ErrorCode.values()) {
            refused.put(code, counter(registry, code.wire()));
        }
        Gauge.builder("tidegate.ingest.inflight.requests", room, InFlightLimit::requests)
                .description("Requests being read or written to Kafka")
                .register(registry);
        Gauge.builder("tidegate.ingest.inflight.bytes", room, InFlightLimit::bytes)
                .description("Bytes of their bodies")
                .baseUnit("bytes")
                .register(registry);
    }

    private static Counter counter(MeterRegistry registry, String outcome) {
        return Counter.builder(EVENTS)
                .description("Events by what their publishers were told")
                .tag("outcome", outcome)
                .register(registry);
    }

    void count(Answer answer) {
        switch (answer) {
            case Answer.Stored s -> (s.repeated() ? repeated : stored).increment();
            case Answer.Refused r -> count(r.problem());
        }
    }

    void count(BatchResults results) {
        results.answers().forEach(this::count);
    }

    void count(Problem problem) {
        Counter counter = refused.get(problem.code());
        if (counter != null) {
            counter.increment();
        }
    }
}

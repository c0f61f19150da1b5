package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.InFlightLimit;
import dev.tidegate.protocol.ErrorCode;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The meters of this package; names in {@code docs/event-ingest.md}. Any thread.
 *
 * <ul>
 *   <li>{@code tidegate.ingest.events} counter, {@code outcome} = stored | spooled | sent | repeated | an error code
 *   <li>{@code tidegate.ingest.inflight.requests}, {@code tidegate.ingest.inflight.bytes} gauges
 * </ul>
 */
final class IngestMetrics {
    private static final String EVENTS = "tidegate.ingest.events";

    private final Map<Answer.How, Counter> taken = new EnumMap<>(Answer.How.class);
    private final Map<ErrorCode, Counter> refused = new EnumMap<>(ErrorCode.class);

    IngestMetrics(MeterRegistry registry, InFlightLimit room) {
        for (Answer.How how : Answer.How.values()) {
            taken.put(how, counter(registry, how.outcome));
        }
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
            case Answer.Taken t -> increment(taken.get(t.how()));
            case Answer.Refused r -> count(r.problem());
        }
    }

    void count(BatchResults results) {
        results.answers().forEach(this::count);
    }

    void count(Problem problem) {
        increment(refused.get(problem.code()));
    }

    private static void increment(@Nullable Counter counter) {
        if (counter != null) {
            counter.increment();
        }
    }
}

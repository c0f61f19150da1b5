package dev.tidegate.replay.metrics;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FanoutRecord.Undeliverable;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.ToDoubleFunction;

/** The public names of this service's meters. Prometheus spells them with underscores, counters with {@code _total}. */
public final class MeterNames {
    private static final String PREFIX = "tidegate.replay.";

    private final MeterRegistry registry;

    /** Names the counters of {@code metrics}; gauges follow by {@link #gauge}. */
    public MeterNames(MeterRegistry registry, ReplayMetrics metrics) {
        this.registry = registry;
        counter("tail.records", "Records of the topic read, events or not", metrics.tailRecords);
        counter("tail.restarts", "Times reading began anew with memory dropped", metrics.tailRestarts);
        counter("tail.ignored.headers", "Broken headers, treated as absent", metrics.ignoredHeaders);
        for (Undeliverable why : Undeliverable.values()) {
            undeliverable(metrics, why.name().toLowerCase(Locale.ROOT));
        }
        undeliverable(metrics, "misplaced");
        counter("scan.scans", "Reads of a partition for those who asked", metrics.scans);
        counter("scan.records", "Records that scans have read", metrics.scanRecords);
        counter("scan.requests", "Requests that scans have served", metrics.scanRequests);
        counter("scan.refused", "Requests that found no place in a scan in time", metrics.scanRefused);
        counter("archive.events", "Events written into the archive", metrics.archiveEvents);
        counter("archive.batches", "Batches written into the archive", metrics.archiveBatches);
        counter("archive.failures", "Attempts to write one that failed", metrics.archiveFailures);
        counter("archive.expired", "Offsets gone from Kafka before they were archived", metrics.archiveExpired);
        counter("archive.reads", "Pages read from the archive", metrics.archiveReads);
        counter("archive.queries", "Queries for them; what several share is one", metrics.archiveQueries);
        counter("archive.refused", "Requests that found no place among them in time", metrics.archiveRefused);
        counter("events", "Events replayed", metrics.events);
        counter("bytes", "Bytes of frames replayed", metrics.bytes);
        counter("cursors.stored", "Durable cursors stored", metrics.cursorsStored);
        counter("cursors.refused", "Durable cursors beyond their subject's most", metrics.cursorsRefused);
        counter("cursors.found", "Durable cursors looked up and found", metrics.cursorsFound);
        counter("cursors.missing", "Durable cursors never acknowledged", metrics.cursorsMissing);
        for (Replay.Tier tier : Replay.Tier.values()) {
            answer(metrics, tier.wire());
        }
        for (ErrorCode code : new ErrorCode[] {
            ErrorCode.UNAVAILABLE, ErrorCode.CURSOR_INVALID, ErrorCode.BAD_REQUEST, ErrorCode.INTERNAL
        }) {
            answer(metrics, code.wire());
        }
        for (Gap.Reason reason : Gap.Reason.values()) {
            labelled("gaps", "Gaps told", "reason", reason.wire(), metrics.gaps(reason.wire()));
        }
        for (String call : new String[] {"replay", "history", "open", "cursors"}) {
            labelled("calls.refused", "Calls refused for lack of room", "call", call, metrics.refused(call));
        }
    }

    private void undeliverable(ReplayMetrics metrics, String reason) {
        labelled("tail.undeliverable", "Records that are no events", "reason", reason, metrics.undeliverable(reason));
    }

    private void answer(ReplayMetrics metrics, String outcome) {
        labelled("answers", "Requests answered, by tier or error", "outcome", outcome, metrics.answers(outcome));
    }

    private void counter(String name, String description, LongAdder count) {
        FunctionCounter.builder(PREFIX + name, count, LongAdder::sum)
                .description(description)
                .register(registry);
    }

    private void labelled(String name, String description, String tag, String value, LongAdder count) {
        FunctionCounter.builder(PREFIX + name, count, LongAdder::sum)
                .description(description)
                .tag(tag, value)
                .register(registry);
    }

    /** A gauge of something that lives as long as the service. */
    public <T> MeterNames gauge(String name, String description, T of, ToDoubleFunction<T> value) {
        Gauge.builder(PREFIX + name, of, value)
                .description(description)
                .strongReference(true)
                .register(registry);
        return this;
    }

    /** A gauge of calls of one kind. */
    public <T> void callGauge(String name, String description, String call, T of, ToDoubleFunction<T> value) {
        Gauge.builder(PREFIX + name, of, value)
                .description(description)
                .tag("call", call)
                .strongReference(true)
                .register(registry);
    }
}

package dev.tidegate.replay.metrics;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/** Counters of this service since its start. Any thread; {@link MeterNames} gives them their public names. */
public final class ReplayMetrics {
    /** Records of the topic that the tail has read, events or not. */
    public final LongAdder tailRecords = new LongAdder();

    /** Times that the tail had to begin anew, with memory dropped. */
    public final LongAdder tailRestarts = new LongAdder();

    /** Headers of ours that were broken and so treated as absent. */
    public final LongAdder ignoredHeaders = new LongAdder();

    /** Scans of Kafka begun: how often a partition was read for those who asked. */
    public final LongAdder scans = new LongAdder();

    /** Records that scans have read. */
    public final LongAdder scanRecords = new LongAdder();

    /** Requests that scans have served, completely or up to a bound. */
    public final LongAdder scanRequests = new LongAdder();

    /** Requests that found no place in a scan in time. */
    public final LongAdder scanRefused = new LongAdder();

    /** Events written into the archive. */
    public final LongAdder archiveEvents = new LongAdder();

    /** Batches written into the archive. */
    public final LongAdder archiveBatches = new LongAdder();

    /** Attempts to write a batch that failed. */
    public final LongAdder archiveFailures = new LongAdder();

    /** Offsets that Kafka's retention had removed before they were archived. */
    public final LongAdder archiveExpired = new LongAdder();

    /** Requests that the archive was read for; a page each, or a part of one and the rest by further queries. */
    public final LongAdder archiveReads = new LongAdder();

    /** Queries for them; what several share is one. */
    public final LongAdder archiveQueries = new LongAdder();

    /** Requests that found no place among the archive's reads in time. */
    public final LongAdder archiveRefused = new LongAdder();

    /** Events replayed. */
    public final LongAdder events = new LongAdder();

    /** Bytes of frames replayed. */
    public final LongAdder bytes = new LongAdder();

    /** Durable cursors stored; those that had not moved count too. */
    public final LongAdder cursorsStored = new LongAdder();

    /** Durable cursors refused, since their subject has its most. */
    public final LongAdder cursorsRefused = new LongAdder();

    /** Durable cursors looked up and found. */
    public final LongAdder cursorsFound = new LongAdder();

    /** Durable cursors looked up that were never acknowledged. */
    public final LongAdder cursorsMissing = new LongAdder();

    private final Map<String, LongAdder> undeliverable = new ConcurrentHashMap<>(); // by reason, of a fixed set
    private final Map<String, LongAdder> answers = new ConcurrentHashMap<>(); // by outcome, of a fixed set
    private final Map<String, LongAdder> gaps = new ConcurrentHashMap<>(); // by reason, of a fixed set
    private final Map<String, LongAdder> refused = new ConcurrentHashMap<>(); // by call, of a fixed set

    /** Records that are no events, by reason. */
    public LongAdder undeliverable(String reason) {
        return undeliverable.computeIfAbsent(reason, k -> new LongAdder());
    }

    /** Requests answered, by outcome: the tier that served it, or the error's code. */
    public LongAdder answers(String outcome) {
        return answers.computeIfAbsent(outcome, k -> new LongAdder());
    }

    /** Gaps told, by reason. */
    public LongAdder gaps(String reason) {
        return gaps.computeIfAbsent(reason, k -> new LongAdder());
    }

    /** HTTP calls refused for lack of room, by call. */
    public LongAdder refused(String call) {
        return refused.computeIfAbsent(call, k -> new LongAdder());
    }
}

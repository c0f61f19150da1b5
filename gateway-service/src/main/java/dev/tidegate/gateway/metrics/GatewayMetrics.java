package dev.tidegate.gateway.metrics;

import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.FanoutRecord;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/**
 * The gateway's counters. Written from the tailer thread and the event loops, at most once per batch on the hot path;
 * read by whoever exports them. All are totals since start, except the gauges, which say so.
 */
public final class GatewayMetrics {
    /** Records read from the fan-out topic. */
    public final LongAdder recordsRead = new LongAdder();
    /** Records of a channel that somebody here subscribes to. */
    public final LongAdder recordsWanted = new LongAdder();
    /** Frames handed to sockets: one per event and subscriber. */
    public final LongAdder delivered = new LongAdder();
    /** Bytes of the messages that were compressed, once each whatever the number of their receivers. */
    public final LongAdder deflatedFrom = new LongAdder();
    /** The bytes that became of them. */
    public final LongAdder deflatedTo = new LongAdder();
    /** Events replayed to clients. */
    public final LongAdder replayed = new LongAdder();
    /** Records that lie in a partition their key does not belong to. */
    public final LongAdder misplaced = new LongAdder();
    /** Records whose broken headers were ignored. */
    public final LongAdder brokenHeaders = new LongAdder();
    /** Gauge: open connections. */
    public final LongAdder connections = new LongAdder();
    /** Gauge: subscriptions. */
    public final LongAdder subscriptions = new LongAdder();
    /** Times a connection took no more, whatever was done then. */
    public final LongAdder parked = new LongAdder();
    /** Gaps told to clients. */
    public final LongAdder gaps = new LongAdder();
    /** Resumes that had to wait for the replay service. */
    public final LongAdder pending = new LongAdder();
    /** Live buffers that overflowed during a resume. */
    public final LongAdder bufferOverflows = new LongAdder();
    /** Resumes answered without asking the replay service. */
    public final LongAdder resumedLocally = new LongAdder();
    /** Acknowledgements of durable cursors that clients sent. */
    public final LongAdder acks = new LongAdder();
    /** Durable cursors, each the newest of its acknowledgements, that were not stored. */
    public final LongAdder acksFailed = new LongAdder();
    /** Look-ups of durable cursors, repeated ones too. */
    public final LongAdder durableLookUps = new LongAdder();
    /** Look-ups that could not be answered and are made again. */
    public final LongAdder durableRetries = new LongAdder();
    /** Client frames that were answered with an error. */
    public final LongAdder badFrames = new LongAdder();

    /** Sessions closed for a fault of the gateway's own. Anything but 0 is a defect; the log has its stack trace. */
    public final LongAdder faults = new LongAdder();

    /** Copies of the Redis tier that came to channels wanted here. */
    public final LongAdder copies = new LongAdder();
    /** Copies whose record, or whose like, had come before. */
    public final LongAdder copiesDeduplicated = new LongAdder();
    /** Copies delivered because Kafka stood still. */
    public final LongAdder hedged = new LongAdder();
    /** Frames of the Redis tier handed to sockets: one per copy and subscriber. */
    public final LongAdder provisional = new LongAdder();
    /** Events told as a position, since their subscriber had them already: one per event and subscriber. */
    public final LongAdder reconciled = new LongAdder();
    /** Ids of provisional events forgotten before their record came: delivered twice, recognisable by the id. */
    public final LongAdder idsForgotten = new LongAdder();

    /** Why a copy of the Redis tier did not get on. But for ephemeral events nothing is lost: Kafka has them. */
    public enum CopyLoss {
        /** Nobody here wants its channel. */
        UNWANTED,
        /** It is no copy, or cannot be delivered. */
        INVALID,
        /** More came than were looked at. */
        QUEUE_FULL,
        /** More waited for their records than may. */
        RING_FULL,
        /** An ephemeral one, and a subscriber whose connection takes no more. */
        SLOW_CLIENT,
        /** A fault of the gateway's own, no memory included. */
        FAULT
    }

    private final Map<CopyLoss, LongAdder> copiesLost = adders(CopyLoss.class);

    /** Copies that did not get on, by cause. */
    public LongAdder copiesLost(CopyLoss cause) {
        return Objects.requireNonNull(copiesLost.get(cause));
    }

    /** Replay requests that sessions made. */
    public final LongAdder replayRequests = new LongAdder();
    /** Replay requests that travelled: fewer, where sessions asked for the same. */
    public final LongAdder replayAsked = new LongAdder();
    /** Calls of the replay service that carried them. */
    public final LongAdder replayCalls = new LongAdder();
    /** Replay requests that found the queue full; their sessions try again. */
    public final LongAdder replayRefused = new LongAdder();
    /** Connections that were sent elsewhere because a loop could not bear them. */
    public final LongAdder rebalanced = new LongAdder();

    private final AtomicLongArray loopDelays = new AtomicLongArray(Long.SIZE);

    /** How long a task of this loop has just waited in its queue, nanoseconds. */
    public void loopDelay(int loop, long nanos) {
        loopDelays.setRelease(loop, nanos);
    }

    /** The longest of the loops' delays, as they were last measured, in seconds. */
    public double loopDelaySeconds() {
        long most = 0;
        for (int i = 0; i < loopDelays.length(); i++) {
            most = Math.max(most, loopDelays.get(i));
        }
        return most / 1e9;
    }

    /** Newest events delivered to connections that had been slow. */
    public final LongAdder conflated = new LongAdder();
    /** Newest events that a bound kept from being kept; their clients are told a gap. */
    public final LongAdder conflationOverflows = new LongAdder();

    private final Map<SlowClient, LongAdder> slow = adders(SlowClient.class);
    private final Map<SlowClient, LongAdder> passedOver = adders(SlowClient.class);
    private final Map<FanoutRecord.Undeliverable, LongAdder> undeliverable = adders(FanoutRecord.Undeliverable.class);
    private final Map<CloseCode, LongAdder> closed = adders(CloseCode.class);

    /** Times a subscription's connection took no more when an event came, by what its namespace does then. */
    public LongAdder slow(SlowClient policy) {
        return Objects.requireNonNull(slow.get(policy));
    }

    /** Events that were not delivered live because the connection took no more, one per event and subscriber. */
    public LongAdder passedOver(SlowClient policy) {
        return Objects.requireNonNull(passedOver.get(policy));
    }

    /** Records that cannot be delivered, by cause. */
    public LongAdder undeliverable(FanoutRecord.Undeliverable cause) {
        return Objects.requireNonNull(undeliverable.get(cause));
    }

    /** Connections the gateway closed, by code. */
    public LongAdder closed(CloseCode code) {
        return Objects.requireNonNull(closed.get(code));
    }

    private static <E extends Enum<E>> Map<E, LongAdder> adders(Class<E> of) {
        Map<E, LongAdder> out = new EnumMap<>(of);
        for (E e : of.getEnumConstants()) {
            out.put(e, new LongAdder());
        }
        return out;
    }
}

package dev.tidegate.gateway.metrics;

import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.FanoutRecord;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
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
    /** Times a slow connection was parked. */
    public final LongAdder parked = new LongAdder();
    /** Gaps told to clients. */
    public final LongAdder gaps = new LongAdder();
    /** Resumes that had to wait for the replay service. */
    public final LongAdder pending = new LongAdder();
    /** Live buffers that overflowed during a resume. */
    public final LongAdder bufferOverflows = new LongAdder();
    /** Resumes answered without asking the replay service. */
    public final LongAdder resumedLocally = new LongAdder();
    /** Client frames that were answered with an error. */
    public final LongAdder badFrames = new LongAdder();

    /** Sessions closed for a fault of the gateway's own. Anything but 0 is a defect; the log has its stack trace. */
    public final LongAdder faults = new LongAdder();

    private final Map<FanoutRecord.Undeliverable, LongAdder> undeliverable = adders(FanoutRecord.Undeliverable.class);
    private final Map<CloseCode, LongAdder> closed = adders(CloseCode.class);

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

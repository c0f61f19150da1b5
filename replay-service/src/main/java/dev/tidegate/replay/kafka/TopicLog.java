package dev.tidegate.replay.kafka;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.replay.recent.RecentLog;
import java.lang.invoke.VarHandle;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongArray;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.scheduler.Schedulers;

/**
 * One incarnation of the fan-out topic as far as this service knows it: what is in memory, how far it has been read, where
 * it starts and ends in Kafka. Filled by the tail's thread and the watch, read by any.
 */
public final class TopicLog {
    private final FanoutTopic topic;
    private final RecentLog recent;
    private final AtomicLongArray starts;
    private final AtomicLongArray ends;
    private final Set<Waiter> waiters = ConcurrentHashMap.newKeySet(); // bounded by the calls admitted
    private volatile boolean filled;
    private volatile boolean retired;

    private record Waiter(int partition, long offset, MonoSink<Void> sink) {}

    TopicLog(FanoutTopic topic, RecentLog recent) {
        this.topic = topic;
        this.recent = recent;
        this.starts = new AtomicLongArray(topic.partitions());
        this.ends = new AtomicLongArray(topic.partitions());
    }

    /** Which topic. */
    public FanoutTopic topic() {
        return topic;
    }

    /** What of it is in memory. */
    public RecentLog recent() {
        return recent;
    }

    /** A cursor of this topic. */
    public Cursor cursor(int partition, long offset) {
        return new Cursor(topic.epoch(), partition, offset);
    }

    /** Offset of the last record of the partition that was read. */
    public long position(int partition) {
        return recent.position(partition);
    }

    /** Offset of the partition's first record in Kafka; at most the watch's interval old. */
    public long start(int partition) {
        return starts.get(partition);
    }

    /** Offset behind the partition's last record in Kafka; at most the watch's interval old. */
    public long end(int partition) {
        return ends.get(partition);
    }

    /** Whether memory has been filled and the tail stood at the end of every partition. */
    public boolean filled() {
        return filled;
    }

    /** Whether the topic is gone or its memory was dropped: nothing more is read into this log. */
    public boolean retired() {
        return retired;
    }

    /** Records not read yet, over all partitions. */
    public long lag() {
        long lag = 0;
        for (int p = 0; p < topic.partitions(); p++) {
            lag += Math.max(0, ends.get(p) - 1 - Math.max(-1, recent.position(p)));
        }
        return lag;
    }

    /**
     * Completes when the partition has been read up to {@code offset}, or this log is retired; on a thread that may be kept
     * busy.
     */
    public Mono<Void> reached(int partition, long offset) {
        return Mono.<Void>create(sink -> {
                    Waiter waiter = new Waiter(partition, offset, sink);
                    waiters.add(waiter);
                    sink.onDispose(() -> waiters.remove(waiter));
                    // Either this sees the position that the tail has published, or the tail sees the waiter.
                    VarHandle.fullFence();
                    if (satisfied(waiter)) {
                        sink.success();
                    }
                })
                .publishOn(Schedulers.parallel());
    }

    /** Tells those who wait; the tail's, after it has advanced. */
    void advanced() {
        VarHandle.fullFence();
        if (!waiters.isEmpty()) {
            for (Waiter w : waiters) {
                if (satisfied(w)) {
                    w.sink.success();
                }
            }
        }
    }

    void bounds(int partition, long start, long end) {
        starts.set(partition, start);
        ends.set(partition, end);
    }

    void filled(boolean now) {
        filled = now;
    }

    /** Drops it: its memory may be written anew from now on. */
    void retire() {
        retired = true;
        recent.retire();
        advanced();
    }

    private boolean satisfied(Waiter w) {
        return retired || recent.position(w.partition) >= w.offset;
    }
}

package dev.tidegate.replay.kafka;

import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.reads.ReadTicket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.SignalType;
import reactor.kafka.receiver.KafkaReceiver;
import reactor.kafka.receiver.ReceiverOptions;
import reactor.kafka.receiver.ReceiverRecord;

/**
 * One sequential read of a partition for all tickets whose ranges lie near each other: from the smallest offset asked for, until
 * the last ticket is done or the time is up. Others whose range begins at or a little after where it stands may join. Records come
 * a batch at a time, the next is asked for when one has been worked off: nothing piles up.
 *
 * <p>Records are worked off on the receiver's thread, ticks come from the timer's; both hold the scan's lock.
 */
final class RangeScan {
    private static final Logger log = LoggerFactory.getLogger(RangeScan.class);

    /** How long one poll waits: as long as it may take until the position of a quiet end is seen. */
    private static final Duration POLL = Duration.ofMillis(50);

    private final RangeScans scans;
    private final TopicLog topicLog;
    private final TopicPartition partition;
    private final RecordJudge judge;
    private final KafkaReceiver<byte[], byte[]> receiver;
    private final Subscriber subscriber = new Subscriber();
    private final ReplayMetrics metrics;
    private final long startedAt = System.nanoTime();
    private final long seed; // first offset of the request it is begun for
    private volatile boolean placed;

    // Guarded by this.
    private List<ReadTicket> tickets;
    private TicketIndex index = new TicketIndex(List.of());
    private long next = -1; // offset of the next record; -1 until the scan has its place
    private long movedAt = startedAt;
    private boolean batchSinceTick;
    private boolean ended;

    RangeScan(
            RangeScans scans,
            TopicLog topicLog,
            int p,
            ReadTicket first,
            Map<String, Object> consumer,
            int maxPayloadBytes,
            ReplayMetrics metrics) {
        this.scans = scans;
        this.topicLog = topicLog;
        this.partition = topicLog.topic().partition(p);
        this.tickets = new ArrayList<>(List.of(first));
        this.seed = first.wanted().after() + 1;
        this.judge = new RecordJudge(topicLog.topic(), maxPayloadBytes);
        this.metrics = metrics;
        ReceiverOptions<byte[], byte[]> options = ReceiverOptions.<byte[], byte[]>create(consumer)
                .assignment(List.of(partition))
                .pollTimeout(POLL)
                .closeTimeout(Duration.ofSeconds(1))
                .addAssignListener(assigned -> assigned.forEach(a -> a.seek(place())));
        this.receiver = KafkaReceiver.create(options);
    }

    /** Begins; opens a consumer, which takes some milliseconds of this thread. */
    void start() {
        synchronized (this) {
            if (ended) {
                return;
            }
        }
        metrics.scans.increment();
        receiver.receiveBatch(1).subscribe(subscriber);
    }

    TopicLog topicLog() {
        return topicLog;
    }

    int partition() {
        return partition.partition();
    }

    /** First offset of the request it is begun for. */
    long seed() {
        return seed;
    }

    /** Whether it has not begun to read, so that others near its seed still ride along from wherever they begin. */
    boolean gathering() {
        return !placed;
    }

    /** On the receiver's thread, just before the first poll: all who have asked by now share the read from the start. */
    private synchronized long place() {
        tickets.addAll(scans.joinAtStart(this));
        placed = true;
        next = tickets.stream().mapToLong(t -> t.wanted().after() + 1).min().orElse(seed);
        reindex();
        return next;
    }

    private synchronized void batch(Flux<ReceiverRecord<byte[], byte[]>> records) {
        if (ended) {
            return;
        }
        batchSinceTick = true;
        List<ReadTicket> joined = scans.join(this, next);
        if (!joined.isEmpty()) {
            tickets.addAll(joined);
            reindex();
        }
        long[] last = {next - 1, 0};
        records.subscribe(
                r -> {
                    record(r);
                    last[0] = r.offset();
                    last[1]++;
                },
                // Else the rest of the batch would be passed over, and nobody be told.
                e -> {
                    log.error("Partition {}: the record behind offset {} cannot be read", partition, last[0], e);
                    end(ReadTicket.State.UNAVAILABLE, "a record cannot be read");
                });
        metrics.scanRecords.add(last[1]);
        passed(last[0]);
    }

    private void record(ConsumerRecord<byte[], byte[]> r) {
        byte @Nullable [] key = r.key();
        ReadTicket[] wanting = key == null ? null : index.of(key);
        if (wanting != null && judge.whyNot(r) == null) {
            for (ReadTicket t : wanting) {
                t.event(r.offset(), judge.event());
            }
        }
    }

    private void passed(long offset) {
        if (offset < next) {
            return;
        }
        next = offset + 1;
        movedAt = System.nanoTime();
        boolean over = false;
        for (ReadTicket t : tickets) {
            t.passed(offset);
            over |= t.isOver();
        }
        if (over) {
            prune();
        }
    }

    private void prune() {
        int before = tickets.size();
        tickets.removeIf(ReadTicket::isOver);
        metrics.scanRequests.add(before - tickets.size());
        if (tickets.isEmpty()) {
            tickets.addAll(scans.join(this, next));
        }
        if (tickets.isEmpty()) {
            end(ReadTicket.State.CUT, null);
        } else {
            reindex();
        }
    }

    private void reindex() {
        index = new TicketIndex(tickets);
    }

    /** Every so often: bounds, and what a read that hands out nothing has passed. */
    synchronized void tick(long now, Duration maxTime, Duration stall) {
        if (ended) {
            return;
        }
        if (topicLog.retired()) {
            end(ReadTicket.State.LOST, null);
        } else if (now - startedAt > maxTime.toNanos()) {
            end(ReadTicket.State.CUT, null);
        } else if (now - movedAt > stall.toNanos()) {
            end(ReadTicket.State.UNAVAILABLE, "Kafka hands out no records");
        } else {
            if (!batchSinceTick && next >= 0) {
                // The end of a log may be of records that are never handed out.
                receiver.doOnConsumer(c -> c.position(partition)).subscribe(position -> quiet(position - 1), e -> {
                    // It is closing.
                });
            }
            batchSinceTick = false;
            if (tickets.stream().anyMatch(ReadTicket::isOver)) {
                prune();
            }
        }
    }

    private synchronized void quiet(long offset) {
        if (!ended) {
            passed(offset);
        }
    }

    private synchronized void end(ReadTicket.State how, @Nullable String why) {
        if (ended) {
            return;
        }
        ended = true;
        for (ReadTicket t : tickets) {
            t.end(how, why);
        }
        metrics.scanRequests.add(tickets.size());
        tickets = new ArrayList<>();
        subscriber.dispose();
        scans.ended(this);
    }

    void close() {
        end(ReadTicket.State.UNAVAILABLE, "the service stops");
    }

    private final class Subscriber extends BaseSubscriber<Flux<ReceiverRecord<byte[], byte[]>>> {
        @Override
        protected void hookOnSubscribe(Subscription subscription) {
            request(1);
        }

        @Override
        protected void hookOnNext(Flux<ReceiverRecord<byte[], byte[]>> records) {
            batch(records);
            request(1);
        }

        @Override
        protected void hookOnError(Throwable e) {
            if (e instanceof OffsetOutOfRangeException) {
                end(ReadTicket.State.LOST, null);
            } else {
                end(ReadTicket.State.UNAVAILABLE, "reading Kafka failed: " + e.getMessage());
            }
        }

        @Override
        protected void hookFinally(SignalType type) {
            end(ReadTicket.State.CUT, null);
        }
    }
}

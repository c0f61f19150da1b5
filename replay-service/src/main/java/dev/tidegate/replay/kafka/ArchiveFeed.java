package dev.tidegate.replay.kafka;

import dev.tidegate.protocol.FanoutRecord;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the topic for the archive: one thread, one consumer in group {@code tidegate-archive-<topic>}, which only shares the
 * partitions out among the instances. Where to go on is not Kafka's to know but the {@link Sink}'s; nothing is committed.
 *
 * <pre>
 * of the feed                                           of a partition
 * WAITING    no topic yet, or Kafka has not answered    UNPLACED  given to this instance; the sink does not know where to go on
 * FOLLOWING  reading; a recreated topic -> WAITING      READING   its records go to the sink
 *                                                       HELD      the sink could not write: nothing is read until it has
 * </pre>
 *
 * <p><b>Which topic.</b> Kafka's consumer goes on reading a topic that was recreated under its name without saying so. So before
 * the sink writes, Kafka is asked for the topic's id: if it still is the one that reading began with, all that was read before came
 * from that. If not, what was read is thrown away.
 *
 * <p><b>Memory.</b> The consumer's own ({@value #FETCH_BYTES} bytes a broker) and what the sink holds; while that waits, nothing is read.
 */
public final class ArchiveFeed implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ArchiveFeed.class);

    static final int FETCH_BYTES = 8 << 20;

    /** How long a poll waits: how late a written batch may be on a quiet topic. */
    private static final Duration POLL = Duration.ofMillis(100);

    private static final Duration PAUSE = Duration.ofMillis(500);
    private static final long PLACE_AGAIN_NANOS = 500_000_000L;
    private static final Duration STOP_WITHIN = Duration.ofSeconds(5);

    /** Where records go. All calls are the feed's thread's; they may block, bounded by a few seconds. */
    public interface Sink {
        /** Whether an event with this key is to be kept. */
        boolean wants(byte[] key);

        /**
         * Where to go on with partitions that this instance was given. Those that are missing cannot be said yet, and are asked for again.
         *
         * @throws RuntimeException if it cannot be said at all now
         */
        Map<Integer, Long> place(FanoutTopic topic, Set<Integer> partitions, Log kafka);

        /** A record; {@code event} is null if it is no event, or not wanted. */
        void record(int partition, long offset, long timestampMillis, @Nullable FanoutRecord event);

        /** All before this offset has been read. */
        void passed(int partition, long next);

        /** Whether what is held should be written now. */
        boolean due();

        /** Writes. Returns the partitions that somebody else has moved on, which must be placed anew. */
        Set<Integer> write();

        /** Whether writing failed and is to be tried again: nothing more may be read meanwhile. */
        boolean holding();

        /** Forgets what is held, and where partitions stand. */
        void reset();
    }

    /**
     * Partitions that this instance was given and whose place is not known, so that nobody can say how much of them is archived.
     *
     * @param partitions how many
     * @param since {@link System#nanoTime()} since when there are any; only of meaning if there are
     */
    public record Unplaced(int partitions, long since) {
        Unplaced now(int howMany) {
            return howMany == partitions ? this : new Unplaced(howMany, partitions == 0 ? System.nanoTime() : since);
        }
    }

    /** What Kafka has of the topic. */
    public interface Log {
        long start(int partition);

        /** The offset behind the last record that can be read. */
        long end(int partition);

        /** The first record of at least this time stamp; the end if there is none. */
        long at(int partition, long timestampMillis);
    }

    private final KafkaClients clients;
    private final TopicWatch watch;
    private final int maxPayloadBytes;
    private final Sink sink;
    private final BurstLog trouble = new BurstLog(log);
    private final Thread thread;
    private final CompletableFuture<@Nullable Void> stopped = new CompletableFuture<>();
    private final Set<Integer> unplaced = new TreeSet<>(); // the thread's own, as are the next two
    private long placeAt;
    private boolean held;

    private volatile Unplaced told = new Unplaced(0, 0); // of `unplaced`, for the figures

    private volatile @Nullable Consumer<byte[], byte[]> consumer;
    private volatile boolean stopping;

    /** A feed; {@link #start} starts it. */
    public ArchiveFeed(KafkaClients clients, TopicWatch watch, int maxPayloadBytes, Sink sink) {
        this.clients = clients;
        this.watch = watch;
        this.maxPayloadBytes = maxPayloadBytes;
        this.sink = sink;
        this.thread = Thread.ofPlatform().daemon().name("replay-archive").unstarted(this::run);
    }

    /** Starts reading. */
    public void start() {
        thread.start();
    }

    /** What is unplaced now. Any thread. */
    public Unplaced unplaced() {
        return told;
    }

    private void run() {
        while (!stopping) {
            FanoutTopic topic = watch.topic();
            if (topic == null) {
                pause();
                continue;
            }
            try (Consumer<byte[], byte[]> c = clients.archive("tidegate-archive-" + topic.name())) {
                consumer = c;
                follow(c, topic);
            } catch (WakeupException e) {
                // We stop.
            } catch (InterruptException e) {
                return;
            } catch (KafkaException e) {
                trouble.warn("Reading for the archive failed, trying again: " + e);
                pause();
            } catch (RuntimeException
                    | Error e) { // an Error, too: without this thread nothing would be archived any more
                log.error("Archiving failed, beginning again where it was", e);
                pause();
            } finally {
                consumer = null;
                unplaced.clear();
                told = told.now(0);
                held = false;
                sink.reset();
            }
        }
    }

    private void follow(Consumer<byte[], byte[]> c, FanoutTopic topic) {
        c.subscribe(List.of(topic.name()), new Shares(c));
        RecordJudge judge = new RecordJudge(topic, maxPayloadBytes);
        boolean same = true;
        while (!stopping && same) {
            place(c, topic);
            hold(c, sink.holding() || sink.due());
            poll(c, topic, judge);
            same = sink.due() ? write(c, topic) : isOf(topic, watch.topic());
        }
    }

    /** Has the sink write, if the topic is known to be the same; false if it is another one. */
    private boolean write(Consumer<byte[], byte[]> c, FanoutTopic topic) {
        Now now = look(topic);
        if (now == Now.SAME) {
            Set<Integer> moved = sink.write();
            if (!moved.isEmpty()) {
                unplace(c, moved);
            }
        }
        return now != Now.ANOTHER;
    }

    /** Another topic than that? None at all is no other: it may be Kafka that is away. */
    private static boolean isOf(FanoutTopic topic, @Nullable FanoutTopic now) {
        return now == null || (now.id().equals(topic.id()) && now.partitions() == topic.partitions());
    }

    private enum Now {
        SAME,
        ANOTHER,
        UNKNOWN
    }

    /** Asks Kafka what the topic is now. */
    private Now look(FanoutTopic topic) {
        try {
            boolean answered = (boolean) CompletableFuture.anyOf(watch.refresh(), stopped.thenApply(v -> false))
                    .get(2 * KafkaClients.ANSWER_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
            FanoutTopic now = watch.topic();
            return !answered ? Now.UNKNOWN : now != null && isOf(topic, now) ? Now.SAME : Now.ANOTHER;
        } catch (ExecutionException | TimeoutException e) {
            return Now.UNKNOWN;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Now.UNKNOWN;
        }
    }

    private void place(Consumer<byte[], byte[]> c, FanoutTopic topic) {
        if (unplaced.isEmpty() || System.nanoTime() - placeAt < 0) {
            return;
        }
        placeAt = System.nanoTime() + PLACE_AGAIN_NANOS;
        if (look(topic) != Now.SAME) {
            return;
        }
        Map<Integer, Long> places;
        try {
            places = sink.place(topic, Set.copyOf(unplaced), new Asked(c, topic));
        } catch (KafkaException e) {
            throw e;
        } catch (RuntimeException e) {
            log.debug("The archive cannot say where to go on", e);
            return;
        }
        places.forEach((p, offset) -> {
            c.seek(topic.partition(p), offset);
            c.resume(List.of(topic.partition(p)));
            unplaced.remove(p);
        });
        told = told.now(unplaced.size());
    }

    private void hold(Consumer<byte[], byte[]> c, boolean hold) {
        if (hold) {
            c.pause(c.assignment());
        } else if (held) {
            c.resume(c.assignment().stream()
                    .filter(tp -> !unplaced.contains(tp.partition()))
                    .toList());
        }
        held = hold;
    }

    private void poll(Consumer<byte[], byte[]> c, FanoutTopic topic, RecordJudge judge) {
        ConsumerRecords<byte[], byte[]> records;
        try {
            records = c.poll(POLL);
        } catch (OffsetOutOfRangeException e) {
            // Retention was faster, or the log was cut: the sink says what that means when it is asked where to go on.
            boolean _ = write(c, topic);
            sink.reset();
            unplace(c, partitions(c.assignment()));
            return;
        }
        for (TopicPartition tp : records.partitions()) {
            for (ConsumerRecord<byte[], byte[]> r : records.records(tp)) {
                byte @Nullable [] key = r.key();
                boolean event = key != null && sink.wants(key) && judge.whyNot(r) == null;
                sink.record(r.partition(), r.offset(), r.timestamp(), event ? judge.event() : null);
            }
        }
        for (TopicPartition tp : c.assignment()) {
            if (!unplaced.contains(tp.partition())) {
                // The consumer's own position, since the last offsets may be of markers, which are never handed out.
                sink.passed(tp.partition(), c.position(topic.partition(tp.partition())));
            }
        }
    }

    private void unplace(Consumer<byte[], byte[]> c, Collection<Integer> partitions) {
        for (TopicPartition tp : c.assignment()) {
            if (partitions.contains(tp.partition())) {
                unplace(c, tp);
            }
        }
        placeAt = System.nanoTime();
    }

    private void unplace(Consumer<byte[], byte[]> c, TopicPartition tp) {
        c.pause(List.of(tp));
        c.seek(
                tp,
                0); // any place, so that the consumer does not ask for a committed one; paused, it reads nothing there
        unplaced.add(tp.partition());
        told = told.now(unplaced.size());
    }

    private static Set<Integer> partitions(Collection<TopicPartition> tps) {
        Set<Integer> partitions = new TreeSet<>();
        tps.forEach(tp -> partitions.add(tp.partition()));
        return partitions;
    }

    private void pause() {
        try {
            stopped.get(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException | ExecutionException e) {
            // Time to go on.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Partitions come and go, on the feed's thread, within a poll. */
    private final class Shares implements ConsumerRebalanceListener {
        private final Consumer<byte[], byte[]> c;

        Shares(Consumer<byte[], byte[]> c) {
            this.c = c;
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> given) {
            given.forEach(tp -> unplace(c, tp));
            placeAt = System.nanoTime();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> taken) {
            if (!taken.isEmpty()) {
                // What is held may be of these; whoever has them now begins where the sink's last write ended, and so
                // do we.
                sink.reset();
                c.assignment().forEach(tp -> unplace(c, tp));
                taken.forEach(tp -> unplaced.remove(tp.partition()));
                told = told.now(unplaced.size());
            }
        }
    }

    private record Asked(Consumer<byte[], byte[]> c, FanoutTopic topic) implements Log {
        @Override
        public long start(int p) {
            return one(c.beginningOffsets(List.of(topic.partition(p))));
        }

        @Override
        public long end(int p) {
            return one(c.endOffsets(List.of(topic.partition(p))));
        }

        @Override
        public long at(int p, long timestampMillis) {
            OffsetAndTimestamp found = c.offsetsForTimes(Map.of(topic.partition(p), timestampMillis))
                    .get(topic.partition(p));
            return found == null ? end(p) : found.offset();
        }

        private static long one(Map<TopicPartition, Long> offsets) {
            return offsets.values().iterator().next();
        }
    }

    /** Stops reading. What was not written is read again by whoever goes on. */
    @Override
    public void close() {
        stopping = true;
        stopped.complete(null);
        Consumer<byte[], byte[]> c = consumer;
        if (c != null) {
            c.wakeup();
        }
        try {
            thread.join(STOP_WITHIN);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

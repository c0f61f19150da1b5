package dev.tidegate.replay.kafka;

import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.recent.RecentLog;
import dev.tidegate.replay.recent.RingMemory;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.Consumer;
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
 * Reads the whole topic into the {@link RecentLog}: one thread, one consumer, every partition assigned, no group. First goes back as
 * far as memory can hold, then follows the end. When Kafka is away memory stays as it is and the consumer reconnects by
 * itself; when the topic is another one (recreated, or with more partitions) or a part of it was lost before it was read, it
 * begins anew with empty memory, since a log with a hole would call channels quiet that are not.
 *
 * <pre>
 * CONNECTING  no topic yet, or Kafka has not answered     requests: unavailable
 * FILLING     reading from where memory will be full      requests: wait, bounded
 * FOLLOWING   stood at the end of every partition once    requests: answered
 * </pre>
 */
public final class Tail implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Tail.class);

    /** How long a poll waits; only a stop without traffic takes that long. */
    private static final Duration POLL = Duration.ofMillis(250);

    /**
     * Least time between two polls that bring records, so that a busy topic costs the broker hundreds of fetches a second and not thousands.
     * Memory is behind Kafka by at most twice as much; a request for what it has not read yet waits for it anyway.
     */
    private static final long LINGER_NANOS = 2_000_000;

    private static final Duration PAUSE = Duration.ofMillis(250);
    private static final Duration STOP_WITHIN = Duration.ofSeconds(5);

    private static final Duration MOMENT = Duration.ofSeconds(1);

    /** Records read per partition to estimate how much memory one takes, and how long that may last. */
    private static final int SAMPLE = 64;

    private static final Duration SAMPLE_WITHIN = Duration.ofSeconds(2);

    /** Assumed where a sample could not be had. */
    private static final double TYPICAL_BYTES = 512;

    /** Filled so far that an underestimate does not evict what was just read. */
    private static final double FILL = 0.9;

    private final KafkaClients clients;
    private final TopicWatch watch;
    private final RingMemory ring;
    private final int maxPayloadBytes;
    private final boolean fill;
    private final NamespaceFilter keptOut;
    private final ReplayMetrics metrics;
    private final BurstLog undeliverable = new BurstLog(log);
    private final BurstLog trouble = new BurstLog(log);
    private final Thread thread;
    private final CountDownLatch firstFill = new CountDownLatch(1);
    private final CompletableFuture<@Nullable Void> stopped = new CompletableFuture<>();

    private long[] fillTo = new long[0]; // the tail thread's own
    private long fillToSince;

    private volatile @Nullable TopicLog current;
    private volatile @Nullable Consumer<byte[], byte[]> consumer;
    private volatile boolean stopping;
    private volatile boolean outdated; // the watch has seen another topic than the one that is read

    /**
     * A tail; {@link #start} starts it.
     *
     * @param ring where events are kept; the tail's alone from now on
     * @param fill whether to go back until memory is full
     * @param keptOut namespaces whose events are not kept in memory
     */
    public Tail(
            KafkaClients clients,
            TopicWatch watch,
            RingMemory ring,
            int maxPayloadBytes,
            boolean fill,
            List<String> keptOut,
            ReplayMetrics metrics) {
        this.clients = clients;
        this.watch = watch;
        this.ring = ring;
        this.maxPayloadBytes = maxPayloadBytes;
        this.fill = fill;
        this.keptOut = new NamespaceFilter(keptOut);
        this.metrics = metrics;
        this.thread = Thread.ofPlatform().daemon().name("replay-tail").unstarted(this::run);
    }

    /** Starts reading. */
    public void start() {
        watch.start(this::looked);
        thread.start();
    }

    /** What is read now; null until Kafka has first answered. */
    public @Nullable TopicLog current() {
        return current;
    }

    /** Bytes of memory taken so far. */
    public long allocatedBytes() {
        return ring.allocated();
    }

    /** Waits until memory has been filled for the first time; false if the tail was stopped before. */
    public boolean awaitFilled() throws InterruptedException {
        firstFill.await();
        return !stopping;
    }

    /** On the admin client's thread. */
    private void looked(FanoutTopic topic, long[] starts, long[] ends) {
        TopicLog now = current;
        if (now == null || now.retired()) {
            return; // about to begin anyway
        }
        if (isOf(now, topic)) {
            for (int p = 0; p < starts.length; p++) {
                now.bounds(p, starts[p], ends[p]);
            }
            return;
        }
        outdated = true;
        Consumer<byte[], byte[]> c = consumer;
        if (c != null) {
            c.wakeup();
        }
    }

    private static boolean isOf(TopicLog topicLog, FanoutTopic topic) {
        return topicLog.topic().id().equals(topic.id()) && topicLog.topic().partitions() == topic.partitions();
    }

    private void run() {
        while (!stopping) {
            try (Consumer<byte[], byte[]> c = clients.tail()) {
                consumer = c;
                FanoutTopic topic = awaitTopic();
                if (topic != null) {
                    follow(c, topic);
                }
            } catch (WakeupException e) {
                // The topic has changed, or we stop.
            } catch (InterruptedException | InterruptException e) {
                return;
            } catch (OffsetOutOfRangeException e) {
                log.warn("A part of the topic was gone before it was read, or the topic was recreated: beginning anew");
                drop();
            } catch (KafkaException e) {
                trouble.warn("Reading the fan-out topic failed, trying again: " + e);
                pause();
            } catch (RuntimeException
                    | Error e) { // an Error, too: without this thread the service would only look alive
                log.error("Reading the fan-out topic failed, beginning anew", e);
                drop();
                pause();
            } finally {
                consumer = null;
            }
        }
    }

    private @Nullable FanoutTopic awaitTopic() throws InterruptedException {
        for (int i = 0; !stopping; i++) {
            try {
                CompletableFuture.anyOf(watch.refresh(), stopped)
                        .get(2 * KafkaClients.ANSWER_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
            } catch (ExecutionException | TimeoutException e) {
                log.debug("No answer of Kafka", e);
            }
            FanoutTopic topic = watch.topic();
            if (topic != null) {
                return topic;
            }
            if (i % 40 == 8) { // not for the moments of an ordinary start
                log.info(
                        watch.reachable()
                                ? "Waiting for the fan-out topic: it does not exist yet"
                                : "Waiting for Kafka: it does not answer");
            }
            pause();
        }
        return null;
    }

    private void pause() {
        try {
            stopped.get(PAUSE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // Time to go on.
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void drop() {
        TopicLog old = current;
        if (old != null && !old.retired()) {
            metrics.tailRestarts.increment();
            old.retire();
        }
    }

    private void follow(Consumer<byte[], byte[]> c, FanoutTopic topic) {
        outdated = false;
        TopicLog known = current;
        c.assign(topic.all());
        TopicLog topicLog;
        if (known != null && !known.retired() && isOf(known, topic)) {
            topicLog = known; // memory is whole: go on where it ends
            for (int p = 0; p < topic.partitions(); p++) {
                c.seek(topic.partition(p), known.position(p) + 1);
            }
        } else {
            drop();
            topicLog = begin(c, topic);
        }
        RecordJudge judge = new RecordJudge(topic, maxPayloadBytes);
        while (!stopping && !outdated) {
            poll(c, topicLog, judge);
        }
    }

    /** Makes an empty log and takes the consumer to where it is to be filled from. */
    private TopicLog begin(Consumer<byte[], byte[]> c, FanoutTopic topic) {
        long[] starts = offsets(topic, c.beginningOffsets(topic.all()));
        long[] ends = offsets(topic, c.endOffsets(topic.all()));
        long[] from = fill ? fillFrom(c, topic, starts, ends) : ends;
        RecentLog recent = new RecentLog(ring, topic.partitions());
        TopicLog topicLog = new TopicLog(topic, recent);
        for (int p = 0; p < topic.partitions(); p++) {
            topicLog.bounds(p, starts[p], ends[p]);
            recent.startAt(p, from[p]);
            c.seek(topic.partition(p), from[p]);
        }
        fillTo = ends;
        fillToSince = System.nanoTime();
        current = topicLog;
        long records = Arrays.stream(ends).sum() - Arrays.stream(from).sum();
        log.info(
                "Reading {} ({} partitions, epoch {}): {} records into memory first",
                topic.name(),
                topic.partitions(),
                topic.epoch(),
                records);
        return topicLog;
    }

    private long[] fillFrom(Consumer<byte[], byte[]> c, FanoutTopic topic, long[] starts, long[] ends) {
        double[] bytes = sample(c, topic, starts, ends);
        return FillPlan.offsets(
                starts,
                ends,
                bytes,
                (long) (ring.capacity() * FILL),
                timestamp -> {
                    Map<TopicPartition, OffsetAndTimestamp> found = c.offsetsForTimes(
                            topic.all().stream().collect(Collectors.toMap(tp -> tp, tp -> timestamp)));
                    long[] at = ends.clone();
                    found.forEach((tp, o) -> {
                        if (o != null) {
                            at[tp.partition()] = o.offset();
                        }
                    });
                    return at;
                },
                System.currentTimeMillis());
    }

    /** About how many bytes one offset of each partition takes in memory, from its newest records. */
    private double[] sample(Consumer<byte[], byte[]> c, FanoutTopic topic, long[] starts, long[] ends) {
        double[] bytes = new double[topic.partitions()];
        long[] first = new long[topic.partitions()];
        int open = 0;
        for (int p = 0; p < bytes.length; p++) {
            first[p] = Math.max(starts[p], ends[p] - SAMPLE);
            open += ends[p] > first[p] ? 1 : 0;
            c.seek(topic.partition(p), first[p]);
        }
        long deadline = System.nanoTime() + SAMPLE_WITHIN.toNanos();
        while (open > 0 && System.nanoTime() < deadline) {
            ConsumerRecords<byte[], byte[]> records = c.poll(POLL);
            for (TopicPartition tp : records.partitions()) {
                for (ConsumerRecord<byte[], byte[]> r : records.records(tp)) {
                    bytes[tp.partition()] += RecentLog.recordBytes(size(r));
                }
            }
            open = 0;
            for (int p = 0; p < bytes.length; p++) {
                open += c.position(topic.partition(p)) < ends[p] ? 1 : 0;
            }
        }
        double sum = 0;
        long offsets = 0;
        for (int p = 0; p < bytes.length; p++) {
            sum += bytes[p];
            offsets += bytes[p] == 0 ? 0 : ends[p] - first[p];
        }
        double average = offsets == 0 ? TYPICAL_BYTES : sum / offsets;
        for (int p = 0; p < bytes.length; p++) {
            bytes[p] = Math.max(1, bytes[p] == 0 ? average : bytes[p] / (ends[p] - first[p]));
        }
        return bytes;
    }

    private static int size(ConsumerRecord<byte[], byte[]> r) {
        int headers = 0;
        for (var h : r.headers()) {
            headers += h.value() == null ? 0 : h.value().length;
        }
        return Math.max(0, r.serializedKeySize()) + Math.max(0, r.serializedValueSize()) + headers;
    }

    private void poll(Consumer<byte[], byte[]> c, TopicLog topicLog, RecordJudge judge) {
        ConsumerRecords<byte[], byte[]> records = c.poll(POLL);
        RecentLog recent = topicLog.recent();
        for (TopicPartition tp : records.partitions()) {
            for (ConsumerRecord<byte[], byte[]> r : records.records(tp)) {
                take(r, recent, judge);
            }
        }
        metrics.tailRecords.add(records.count());
        boolean moved = false;
        for (int p = 0; p < recent.partitions(); p++) {
            // The consumer's own position, since the last offsets may be of records that are never handed out
            // (markers).
            long position = c.position(topicLog.topic().partition(p)) - 1;
            if (position > recent.position(p)) {
                recent.advance(p, position);
                moved = true;
            }
        }
        if (moved) {
            topicLog.advanced();
        }
        if (!topicLog.filled()) {
            checkFilled(c, topicLog);
        } else if (!records.isEmpty()) {
            LockSupport.parkNanos(LINGER_NANOS);
        }
    }

    private void take(ConsumerRecord<byte[], byte[]> r, RecentLog recent, RecordJudge judge) {
        String why = judge.whyNot(r);
        if (why != null) {
            metrics.undeliverable(why).increment();
            undeliverable.warn("A record is not an event and is passed over: " + why + ", partition " + r.partition()
                    + ", offset " + r.offset());
            return;
        }
        int ignored = judge.event().ignoredHeaders();
        if (ignored > 0) {
            metrics.ignoredHeaders.add(ignored);
        }
        if (!keptOut.matches(judge.event().channel())) {
            recent.append(r.partition(), r.offset(), judge.event());
        }
    }

    /** Filled is memory once the end of the log, as it was less than a moment ago, has been read. */
    private void checkFilled(Consumer<byte[], byte[]> c, TopicLog topicLog) {
        FanoutTopic topic = topicLog.topic();
        for (int p = 0; p < topic.partitions(); p++) {
            if (topicLog.position(p) < fillTo[p] - 1) {
                return;
            }
        }
        if (System.nanoTime() - fillToSince > MOMENT.toNanos()) {
            fillTo = offsets(topic, c.endOffsets(topic.all()));
            fillToSince = System.nanoTime();
            return;
        }
        topicLog.filled(true);
        firstFill.countDown();
        RecentLog.Usage usage = topicLog.recent().usage();
        log.info(
                "Memory holds {} events of {} channels ({} MB)",
                usage.records(),
                usage.channels(),
                usage.bytes() >> 20);
    }

    private static long[] offsets(FanoutTopic topic, Map<TopicPartition, Long> of) {
        long[] out = new long[topic.partitions()];
        of.forEach((tp, offset) -> out[tp.partition()] = offset);
        return out;
    }

    /** Stops reading; memory stays readable. */
    @Override
    public void close() {
        stopping = true;
        stopped.complete(null);
        firstFill.countDown();
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

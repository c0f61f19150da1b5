package dev.tidegate.gateway.backplane;

import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.protocol.Epoch;
import dev.tidegate.protocol.Gap;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the whole fan-out topic from its end on and hands every poll to the dispatcher: one thread, partitions assigned
 * by hand, no consumer group, nothing committed. When Kafka is away it waits and goes on where it stood; when the topic
 * has been recreated it follows the new one from its first record; when partitions were added it follows those from their
 * first record, and channels that have moved there are told a gap (ADR 071); when retention has overtaken it the
 * subscribers are told a gap.
 */
public final class KafkaTailer implements Runnable, AutoCloseable {
    /**
     * How the tailer reads.
     *
     * @param bootstrapServers of Kafka
     * @param topic the fan-out topic
     * @param topicCheck how often the topic's id and partitions are compared, to notice that it was recreated or has grown
     * @param former numbers of partitions the topic once had, so that cursors of then are answered with a gap
     * @param maxPollRecords most records of one batch
     * @param fetchMaxBytes most bytes of one fetch, of all partitions; also bounds what the consumer holds
     * @param linger least time between two polls that bring records: records that follow each other faster are gathered, so that they cost one
     *     fetch, one batch per loop and one write per connection. The first record after a pause of this length is not held up; the others are
     *     by at most twice this time, because the consumer asks for the next fetch as it hands out one
     * @param gather how long a poll waits at most, while loops are busy delivering, for what will then go out in one write
     * @param consumer further consumer properties, e.g. security
     */
    public record Settings(
            String bootstrapServers,
            String topic,
            Duration topicCheck,
            List<Integer> former,
            int maxPollRecords,
            int fetchMaxBytes,
            Duration linger,
            Duration gather,
            Map<String, String> consumer) {
        /** The shipped settings. */
        public static Settings of(
                String bootstrapServers, String topic, List<Integer> former, Duration linger, Duration gather) {
            return new Settings(
                    bootstrapServers, topic, Duration.ofSeconds(2), former, 4000, 16 << 20, linger, gather, Map.of());
        }
    }

    /** Where the tailer stands; any thread may ask. */
    public enum State {
        /** Kafka or the topic has not been found yet. */
        CONNECTING,
        /** At the end of every partition, or reading towards it. */
        TAILING,
        /** Kafka does not answer. */
        STALLED,
        STOPPED
    }

    private static final Logger LOG = LoggerFactory.getLogger(KafkaTailer.class);
    private static final Duration POLL = Duration.ofMillis(250);
    private static final Duration START_TIMEOUT = Duration.ofSeconds(10);

    /** How long a fetch of what has come meanwhile may take, a round trip to the broker. */
    private static final Duration FRESH = Duration.ofMillis(1);

    /** Without an answer of the cluster for so long, the tail counts as stalled. */
    private static final long STALLED_NANOS = 6_000_000_000L;

    private final Settings settings;
    private final FanoutDispatcher dispatcher;
    private final Thread thread;
    private volatile boolean running = true;
    private volatile State state = State.CONNECTING;
    private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;
    private volatile long lastAnswer;
    private @Nullable Uuid topicId;

    // Where each partition stood when the topic was last seen to have as many as we know of, and the time before. By
    // the older one, no producer can have known of more, not even from a broker that knew before the one we asked.
    private List<Long> settled = List.of();
    private List<Long> settledBefore = List.of();

    public KafkaTailer(Settings settings, FanoutDispatcher dispatcher) {
        this.settings = settings;
        this.dispatcher = dispatcher;
        this.thread = new Thread(this, "kafka-tailer");
    }

    /** Starts the thread. */
    public void start() {
        thread.start();
    }

    /** Where it stands. */
    public State state() {
        if (state == State.TAILING && System.nanoTime() - lastAnswer > STALLED_NANOS) {
            return State.STALLED;
        }
        return state;
    }

    @Override
    public void run() {
        try (Admin admin = Admin.create(adminProperties())) {
            while (running) {
                try {
                    tail(admin);
                } catch (WakeupException | InterruptException e) {
                    LOG.debug("Tailer woken up", e);
                } catch (KafkaException | TimeoutException e) {
                    LOG.warn("The fan-out topic cannot be read, trying again: {}", e.toString());
                    pause();
                } catch (RuntimeException | OutOfMemoryError e) {
                    // Ending the thread here would leave a gateway that looks well and delivers nothing, and direct
                    // memory, for one, can be had again once slow connections have been served.
                    LOG.error("The tailer failed, trying again after what has been dispatched", e);
                    pause();
                }
            }
        } catch (InterruptedException e) {
            LOG.debug("Tailer interrupted", e);
        } finally {
            state = State.STOPPED;
        }
    }

    /** One consumer's life: until the topic is recreated, a fault, or the end. */
    private void tail(Admin admin) throws InterruptedException, TimeoutException {
        TopicDescription topic = awaitTopic(admin);
        if (topic == null) {
            return;
        }
        boolean recreated = topicId != null && !topicId.equals(topic.topicId());
        boolean same = topicId != null && !recreated;
        List<TopicPartition> partitions = new ArrayList<>();
        topic.partitions().forEach(p -> partitions.add(new TopicPartition(settings.topic(), p.partition())));
        try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(consumerProperties())) {
            consumer = c;
            c.assign(partitions);
            if (same) {
                grow(partitions.size());
                // Not its position, which is that of a batch that may have failed half way.
                partitions.forEach(tp -> c.seek(tp, current().dispatched(tp.partition()) + 1));
            } else {
                startOn(c, topic, partitions, recreated);
            }
            topicId = topic.topicId();
            lastAnswer = System.nanoTime();
            state = State.TAILING;
            loop(admin, c);
        } finally {
            consumer = null;
        }
    }

    private void startOn(
            KafkaConsumer<byte[], byte[]> c, TopicDescription topic, List<TopicPartition> partitions, boolean recreated)
            throws InterruptedException {
        // A recreated topic is followed from its start: nobody here has seen any of it.
        Map<TopicPartition, Long> offsets =
                recreated ? c.beginningOffsets(partitions, START_TIMEOUT) : c.endOffsets(partitions, START_TIMEOUT);
        long[] start = new long[partitions.size()];
        offsets.forEach((tp, next) -> {
            start[tp.partition()] = next - 1;
            c.seek(tp, next);
        });
        Uuid id = topic.topicId();
        String epoch = Epoch.of(id.getMostSignificantBits(), id.getLeastSignificantBits());
        LOG.info(
                "Tailing topic {} (epoch {}, {} partitions){}",
                settings.topic(),
                epoch,
                partitions.size(),
                recreated ? ", which was recreated, from its start" : "");
        List<Tail.Layout> former = settings.former().stream()
                .filter(n -> n < start.length)
                .map(n -> new Tail.Layout(n, List.of()))
                .toList();
        moveTo(new Tail(epoch, start, dispatcher.loops(), former));
    }

    /** Moves on to this many partitions, if that is more: the new ones from their first record. */
    private void grow(int partitions) throws InterruptedException {
        Tail old = current();
        if (partitions <= old.partitions()) {
            return; // by a broker that does not know of the others yet, if it is less
        }
        LOG.warn(
                "Topic {} has {} partitions, no longer {}: the channels that have moved are told a gap",
                settings.topic(),
                partitions,
                old.partitions());
        long[] start = new long[partitions];
        Arrays.fill(start, -1);
        for (int p = 0; p < old.partitions(); p++) {
            start[p] = old.dispatched(p);
        }
        moveTo(old.grown(start, settledBefore));
    }

    private void moveTo(Tail tail) throws InterruptedException {
        dispatcher.moveTo(tail);
        settled = tail.allDispatched();
        settledBefore = settled;
    }

    private void loop(Admin admin, KafkaConsumer<byte[], byte[]> c) throws InterruptedException, TimeoutException {
        TopicCheck check = new TopicCheck(admin);
        long linger = settings.linger().toNanos();
        long gather = settings.gather().toNanos();
        while (running) {
            try {
                boolean behind = dispatcher.awaitIdle(gather);
                ConsumerRecords<byte[], byte[]> records = c.poll(POLL);
                long polled = System.nanoTime();
                int read = dispatch(c, records, behind);
                long left = linger - (System.nanoTime() - polled);
                if (read > 0 && left > 0) {
                    LockSupport.parkNanos(left); // an early return costs a small batch, no more
                }
            } catch (OffsetOutOfRangeException e) {
                // A recreated topic's log is shorter, too. Its records must not be taken for the old one's.
                if (!check.isTheSame()) {
                    told();
                    return;
                }
                overtaken(c, e);
            }
            TopicCheck.Answer answer = check.answer();
            if (answer == TopicCheck.Answer.RECREATED) {
                told();
            }
            if (answer != TopicCheck.Answer.SAME) {
                return;
            }
        }
    }

    private void told() {
        LOG.warn("Topic {} has been recreated", settings.topic());
    }

    /** Dispatches what a poll has brought, and where the loops were at work, what has come since; the number of records. */
    private int dispatch(KafkaConsumer<byte[], byte[]> c, ConsumerRecords<byte[], byte[]> records, boolean behind)
            throws InterruptedException {
        try {
            dispatcher.begin();
            int read = stage(records);
            OffsetOutOfRangeException outOfRange = null;
            if (behind && read > 0) {
                // That poll brought what had been fetched before the wait; this one what has come since.
                try {
                    read += stage(c.poll(FRESH));
                } catch (OffsetOutOfRangeException e) {
                    outOfRange = e; // the consumer has moved past the first poll's records: they go out first
                }
            }
            dispatcher.end(read);
            if (outOfRange != null) {
                throw outOfRange;
            }
            return read;
        } finally {
            dispatcher.idle();
        }
    }

    /** Gives the dispatcher what one poll has brought; the number of records. */
    private int stage(ConsumerRecords<byte[], byte[]> records) {
        Tail tail = current();
        // Where this poll has brought each partition, which may be beyond its last record: transaction markers occupy
        // offsets too.
        records.nextOffsets().forEach((tp, next) -> {
            long end = next.offset() - 1;
            if (end != tail.dispatched(tp.partition())) {
                dispatcher.moved(tp.partition(), end);
            }
        });
        dispatcher.lookUp();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            dispatcher.record(record);
        }
        return records.count();
    }

    /** Retention has removed records before they were read here. */
    private void overtaken(KafkaConsumer<byte[], byte[]> c, OffsetOutOfRangeException e) throws InterruptedException {
        var lost = e.offsetOutOfRangePartitions();
        Map<TopicPartition, Long> first = c.beginningOffsets(lost.keySet(), START_TIMEOUT);
        Map<TopicPartition, Long> end = c.endOffsets(lost.keySet(), START_TIMEOUT);
        for (TopicPartition tp : lost.keySet()) {
            long wanted = lost.getOrDefault(tp, 0L);
            long from = first.getOrDefault(tp, 0L);
            if (wanted < from) {
                LOG.error("Partition {}: offsets {} to {} expired before they were read", tp, wanted, from - 1);
                dispatcher.skip(tp.partition(), from - 1, Gap.Reason.EXPIRED);
                c.seek(tp, from);
            } else {
                // Beyond the end: an unclean election has cut the log. What was delivered stays delivered.
                LOG.error("Partition {}: offset {} lies beyond the end {}", tp, wanted, end.get(tp));
                c.seek(tp, end.getOrDefault(tp, wanted));
            }
        }
    }

    private Tail current() {
        Tail t = dispatcher.tail();
        if (t == null) {
            throw new IllegalStateException("no tail yet");
        }
        return t;
    }

    private @Nullable TopicDescription awaitTopic(Admin admin) throws InterruptedException, TimeoutException {
        boolean said = false;
        while (running) {
            try {
                return admin.describeTopics(List.of(settings.topic()))
                        .allTopicNames()
                        .get(START_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                        .get(settings.topic());
            } catch (ExecutionException e) {
                if (!said) {
                    said = true;
                    LOG.info(
                            "Waiting for topic {} at {}: {}",
                            settings.topic(),
                            settings.bootstrapServers(),
                            String.valueOf(e.getCause()));
                }
                pause();
            }
        }
        return null;
    }

    /** Asks now and then, without waiting, whether the topic is still the same; its answers are the liveness too. */
    private final class TopicCheck {
        private enum Answer {
            SAME,
            RECREATED,
            GROWN
        }

        private final Admin admin;
        private List<Long> stoodAt = List.of(); // when it was asked
        private long next = System.nanoTime();
        private org.apache.kafka.common.@Nullable KafkaFuture<Map<String, TopicDescription>> asked;

        TopicCheck(Admin admin) {
            this.admin = admin;
        }

        /** Asks now and waits; a topic that is not there, or a cluster that does not answer, is an exception. */
        boolean isTheSame() throws InterruptedException, TimeoutException {
            try {
                TopicDescription d = admin.describeTopics(List.of(settings.topic()))
                        .allTopicNames()
                        .get(START_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                        .get(settings.topic());
                return d != null && d.topicId().equals(topicId);
            } catch (ExecutionException e) {
                throw new KafkaException("topic " + settings.topic() + " cannot be looked at", e.getCause());
            }
        }

        /** What the last answer says; the same, where there is none. */
        Answer answer() {
            var a = asked;
            if (a != null && a.isDone()) {
                asked = null;
                try {
                    TopicDescription d = a.get().get(settings.topic());
                    lastAnswer = System.nanoTime();
                    if (d != null && !d.topicId().equals(topicId)) {
                        return Answer.RECREATED;
                    }
                    if (d != null && d.partitions().size() > current().partitions()) {
                        return Answer.GROWN;
                    }
                    if (d != null) {
                        settledBefore = settled;
                        settled = stoodAt;
                    }
                } catch (ExecutionException | InterruptedException e) {
                    LOG.debug("Topic check failed", e); // away, or deleted and not yet recreated: asked again
                }
            }
            if (asked == null && System.nanoTime() - next >= 0) {
                next = System.nanoTime() + settings.topicCheck().toNanos();
                stoodAt = current().allDispatched();
                asked = admin.describeTopics(List.of(settings.topic())).allTopicNames();
            }
            return Answer.SAME;
        }
    }

    private void pause() throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(500);
    }

    private Properties adminProperties() {
        Properties p = new Properties();
        p.putAll(settings.consumer());
        p.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
        p.put(AdminClientConfig.CLIENT_ID_CONFIG, "tidegate-gateway-topic");
        p.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, 5_000);
        p.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 5_000);
        p.put(AdminClientConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 1_000);
        return p;
    }

    private Properties consumerProperties() {
        Properties p = new Properties();
        p.putAll(settings.consumer());
        p.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
        p.put(ConsumerConfig.CLIENT_ID_CONFIG, "tidegate-gateway-tailer");
        p.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        p.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none"); // a reset would be a silent gap
        p.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        p.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        p.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, settings.maxPollRecords());
        p.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, settings.fetchMaxBytes());
        p.put(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, 1); // latency first: the broker answers with the first record
        p.put(ConsumerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 1_000);
        p.put(ConsumerConfig.METADATA_MAX_AGE_CONFIG, 30_000);
        return p;
    }

    @Override
    public void close() {
        running = false;
        KafkaConsumer<byte[], byte[]> c = consumer;
        if (c != null) {
            c.wakeup();
        }
        try {
            // Not interrupted at once: a consumer that is interrupted while it closes complains with a stack trace.
            thread.join(2_000);
            thread.interrupt();
            thread.join(5_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

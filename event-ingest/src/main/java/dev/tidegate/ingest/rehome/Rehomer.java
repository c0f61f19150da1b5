package dev.tidegate.ingest.rehome;

import dev.tidegate.ingest.config.RehomeSettings;
import dev.tidegate.ingest.publish.BurstLog;
import dev.tidegate.ingest.publish.FanoutTopic;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.BatchConsumerAwareMessageListener;
import org.springframework.kafka.listener.ConcurrentMessageListenerContainer;
import org.springframework.kafka.listener.ConsumerAwareRebalanceListener;
import org.springframework.kafka.listener.ContainerProperties;

/**
 * Reads the fan-out topic and writes misplaced records into their proper partition, exactly once: the copies and the
 * group's offsets are one Kafka transaction. Batches without a misplaced record, nearly all, cost no transaction; their
 * offsets are committed every few seconds, since reading them twice does no harm.
 *
 * <p>The order of a channel is kept as far as there is one: a producer that misplaces a channel puts all of it into one
 * partition, which one thread of the group reads.
 *
 * <p>When partitions are added, what was read before that was noticed was judged by the homes of before. So the group goes back a
 * little then, and what is moved is moved with the id it had.
 *
 * <p>After a failure nobody knows whether the transaction is in the log, so the batch is not tried again from memory: the consumer goes back
 * to the group's committed offsets, which say. On the container's thread.
 */
public final class Rehomer implements BatchConsumerAwareMessageListener<byte[], byte[]>, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Rehomer.class);

    private static final long COMMIT_EVERY_NANOS = TimeUnit.SECONDS.toNanos(5);
    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(15);
    private static final long PAUSE_AFTER_FAILURE_MILLIS = 1_000;

    /** How far back: well above the time in which every instance notices that partitions were added. */
    private static final Duration BACK = Duration.ofSeconds(15);

    /** For how long partitions that this instance is given are read from there: another one may not have noticed yet. */
    private static final long GROWING_NANOS = Duration.ofMinutes(1).toNanos();

    private final DefaultKafkaProducerFactory<byte[], byte[]> producers;
    private final KafkaTemplate<byte[], byte[]> transactions;
    private final FanoutTopic topic;
    private final ConcurrentMessageListenerContainer<byte[], byte[]> container;
    private final Counter seen;
    private final Counter moved;
    private final Counter failures;
    private final BurstLog failed = new BurstLog(log);
    private final BurstLog movedSome = new BurstLog(log);

    /** Next offsets of what was read and needed nothing, not yet committed; by the container's thread alone. */
    private final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();

    private long committedAt = System.nanoTime();
    private volatile boolean closing;
    private volatile @Nullable Growth growth;

    /** By which homes are judged: as many as there were when reading was begun, so that going back finds nothing half done. */
    private volatile int partitions;

    /** When it was noticed that partitions were added, by both clocks. */
    private record Growth(long nanoTime, long millis) {}

    /**
     * Not yet started.
     *
     * @param producers makes transactional producers; becomes this object's, to be closed with it
     * @param topic says how many partitions there are, and the epoch
     */
    public Rehomer(
            ConsumerFactory<byte[], byte[]> consumers,
            DefaultKafkaProducerFactory<byte[], byte[]> producers,
            FanoutTopic topic,
            String topicName,
            RehomeSettings settings,
            MeterRegistry meters) {
        this.producers = producers;
        this.transactions = new KafkaTemplate<>(producers);
        this.transactions.setMicrometerEnabled(false);
        this.transactions.setProducerListener(null); // the default one logs each failure with its stack trace
        this.topic = topic;
        ContainerProperties properties = new ContainerProperties(topicName);
        properties.setMessageListener(this);
        properties.setAckMode(ContainerProperties.AckMode.MANUAL); // offsets are our own business
        properties.setIdleBetweenPolls(settings.pause().toMillis());
        properties.setMissingTopicsFatal(false);
        properties.setConsumerRebalanceListener(new ConsumerAwareRebalanceListener() {
            @Override
            public void onPartitionsAssigned(Consumer<?, ?> consumer, Collection<TopicPartition> partitions) {
                goBackIfGrown(consumer, partitions);
            }
        });
        this.container = new ConcurrentMessageListenerContainer<>(consumers, properties);
        this.container.setBeanName("rehome");
        this.container.setConcurrency(1);
        this.seen = counter(meters, "seen", "Records of the fan-out topic looked at");
        this.moved = counter(meters, "moved", "Misplaced records written into their proper partition");
        this.failures = counter(meters, "failures", "Transactions that failed; their records were read again");
    }

    private static Counter counter(MeterRegistry meters, String name, String description) {
        return Counter.builder("tidegate.ingest.rehome." + name)
                .description(description)
                .register(meters);
    }

    /** Begins; the topic must have been seen. */
    public void start() {
        topic.onRecreated(this::startOver);
        topic.onGrown(() -> {
            growth = new Growth(System.nanoTime(), System.currentTimeMillis());
            startOver();
        });
        begin();
    }

    private void begin() {
        partitions = topic.view().partitions();
        container.start();
    }

    private void goBackIfGrown(Consumer<?, ?> consumer, Collection<TopicPartition> partitions) {
        Growth g = growth;
        if (g == null || System.nanoTime() - g.nanoTime > GROWING_NANOS) {
            return;
        }
        Map<TopicPartition, Long> asked = new HashMap<>();
        partitions.forEach(p -> asked.put(p, g.millis - BACK.toMillis()));
        Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(asked.keySet(), ASK_TIMEOUT);
        consumer.offsetsForTimes(asked, ASK_TIMEOUT).forEach((partition, first) -> {
            OffsetAndMetadata known = committed.get(partition);
            if (first != null && known != null && first.offset() < known.offset()) {
                consumer.seek(partition, first.offset());
            }
        });
    }

    /** As for the first time: positions of an old topic mean nothing in a new one. */
    private void startOver() {
        if (!closing) {
            container.stop(() -> {
                if (!closing) {
                    begin();
                }
            });
        }
    }

    @Override
    public void close() {
        closing = true;
        container.stop();
        producers.destroy();
    }

    @Override
    public void onMessage(List<ConsumerRecord<byte[], byte[]>> records, @Nullable Consumer<?, ?> given) {
        Consumer<?, ?> consumer = Objects.requireNonNull(given, "the container gives its consumer");
        String epoch = topic.view().epoch();
        int homes = partitions;
        if (epoch == null || homes == 0) {
            throw new IllegalStateException("started before the topic was seen");
        }
        seen.increment(records.size());
        List<ProducerRecord<byte[], byte[]>> copies = new ArrayList<>();
        Map<TopicPartition, Long> first = new HashMap<>();
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : records) {
            if (Placement.isMisplaced(record, homes)) {
                copies.add(Placement.moved(record, epoch, homes));
            }
            TopicPartition partition = new TopicPartition(record.topic(), record.partition());
            first.putIfAbsent(partition, record.offset());
            next.put(partition, new OffsetAndMetadata(record.offset() + 1));
        }
        if (copies.isEmpty()) {
            uncommitted.putAll(next);
            commitNowAndThen(consumer);
        } else {
            move(copies, first, next, consumer);
        }
    }

    private void commitNowAndThen(Consumer<?, ?> consumer) {
        long now = System.nanoTime();
        if (now - committedAt >= COMMIT_EVERY_NANOS) {
            committedAt = now;
            uncommitted.keySet().retainAll(consumer.assignment());
            consumer.commitAsync(Map.copyOf(uncommitted), (offsets, error) -> {
                if (error != null) {
                    log.debug("Offsets not committed, more will be read again: {}", error.toString());
                }
            });
            uncommitted.clear();
        }
    }

    private void move(
            List<ProducerRecord<byte[], byte[]>> copies,
            Map<TopicPartition, Long> first,
            Map<TopicPartition, OffsetAndMetadata> next,
            Consumer<?, ?> consumer) {
        try {
            transactions.executeInTransaction(kafka -> {
                for (ProducerRecord<byte[], byte[]> copy : copies) {
                    var _ = kafka.send(copy); // one that fails fails the commit
                }
                // With the group's generation: a reader that has lost its partitions meanwhile cannot commit.
                kafka.sendOffsetsToTransaction(next, consumer.groupMetadata());
                return true;
            });
            uncommitted.keySet().removeAll(next.keySet());
            moved.increment(copies.size());
            movedSome.warn("Moved " + copies.size() + " misplaced records to the partition of their channel; their"
                    + " producer should use partitioner=murmur2_random");
        } catch (KafkaException | org.springframework.kafka.KafkaException e) {
            failures.increment();
            failed.warn("Misplaced records could not be moved, they are read again: " + e.getMessage());
            goBack(first, next, consumer);
        }
    }

    /**
     * To the group's committed offsets if they are this batch's, or to its first ones. Asking waits for transactions that
     * are not decided yet.
     */
    private void goBack(
            Map<TopicPartition, Long> first, Map<TopicPartition, OffsetAndMetadata> next, Consumer<?, ?> consumer) {
        while (!closing) {
            try {
                Thread.sleep(PAUSE_AFTER_FAILURE_MILLIS);
                Map<TopicPartition, OffsetAndMetadata> committed = consumer.committed(first.keySet(), ASK_TIMEOUT);
                first.forEach((partition, offset) -> {
                    OffsetAndMetadata known = committed.get(partition);
                    long after = next.getOrDefault(partition, new OffsetAndMetadata(offset))
                            .offset();
                    // Its end if its transaction is in the log; else its start, though the group may have been further
                    // on: where partitions were added, it has gone back.
                    boolean moved = known != null && known.offset() == after;
                    consumer.seek(partition, moved ? after : offset);
                });
                return;
            } catch (IllegalStateException e) {
                log.debug("Not ours any more: {}", e.toString());
                return;
            } catch (KafkaException e) {
                failed.warn("Kafka does not say which misplaced records were moved: " + e.getMessage());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}

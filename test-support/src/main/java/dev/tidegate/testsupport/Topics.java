package dev.tidegate.testsupport;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Topics that tests make, and read, by themselves. */
public final class Topics {

    private static final Duration WITHIN = Duration.ofSeconds(60);

    private Topics() {}

    /**
     * Makes a topic and returns once every partition of it is led. Kafka answers before that; an idempotent producer whose very first batch is
     * refused for it can get stuck on OUT_OF_ORDER_SEQUENCE_NUMBER until its delivery timeout (seen with kafka-clients 4.3.1).
     */
    public static void create(Admin admin, NewTopic topic) throws ExecutionException, InterruptedException {
        get(admin.createTopics(List.of(topic)).all());
        awaitLed(admin, topic.name(), topic.numPartitions());
    }

    /** Returns once so many partitions of a topic are led. */
    public static void awaitLed(Admin admin, String topic, int partitions)
            throws ExecutionException, InterruptedException {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int p = 0; p < partitions; p++) {
            ends.put(new TopicPartition(topic, p), OffsetSpec.latest());
        }
        long deadline = System.nanoTime() + WITHIN.toNanos();
        while (true) {
            try {
                get(admin.listOffsets(ends).all());
                return;
            } catch (ExecutionException e) {
                // The broker that answers may not have heard of the topic yet; the client waits between its own
                // attempts.
                if (System.nanoTime() - deadline > 0) {
                    throw e;
                }
            }
        }
    }

    /** All that a topic holds now, as a reader of committed records sees it: partition by partition, by offset. */
    public static List<ConsumerRecord<byte[], byte[]>> records(String bootstrap, String topic) {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", bootstrap, "isolation.level", "read_committed", "enable.auto.commit", "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic, WITHIN).stream()
                    .map(p -> new TopicPartition(topic, p.partition()))
                    .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, WITHIN);
            List<ConsumerRecord<byte[], byte[]>> all = new ArrayList<>();
            long deadline = System.nanoTime() + WITHIN.toNanos();
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.getOrDefault(p, 0L))) {
                if (System.nanoTime() - deadline > 0) {
                    throw new AssertionError("topic " + topic + " could not be read within " + WITHIN);
                }
                consumer.poll(Duration.ofMillis(100)).forEach(all::add);
            }
            all.sort(Comparator.<ConsumerRecord<byte[], byte[]>>comparingInt(ConsumerRecord::partition)
                    .thenComparingLong(ConsumerRecord::offset));
            return all;
        }
    }

    private static void get(KafkaFuture<?> answer) throws ExecutionException, InterruptedException {
        try {
            Object _ = answer.get(WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("no answer of Kafka within " + WITHIN, e);
        }
    }
}

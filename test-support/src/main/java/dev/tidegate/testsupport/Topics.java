package dev.tidegate.testsupport;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;

/** Topics that tests make by themselves. */
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

    private static void get(KafkaFuture<?> answer) throws ExecutionException, InterruptedException {
        try {
            Object _ = answer.get(WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("no answer of Kafka within " + WITHIN, e);
        }
    }
}

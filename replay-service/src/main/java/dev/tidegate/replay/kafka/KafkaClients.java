package dev.tidegate.replay.kafka;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** How this service's Kafka clients are set up. Immutable; any thread. */
public final class KafkaClients {
    /** Most records that one poll hands over: about a millisecond of the tail's work. */
    private static final int POLL_RECORDS = 2_000;

    /** How long one question to Kafka may take before it counts as away. */
    static final Duration ANSWER_WITHIN = Duration.ofSeconds(3);

    /** The archive is not read live: one answer for what has come in so long, or so many bytes, instead of one a record. */
    private static final int ARCHIVE_WAIT_MILLIS = 250;

    private static final int ARCHIVE_MIN_BYTES = 128 << 10;

    /** After so long without a word the partitions of an instance go to the others. */
    private static final int SESSION_MILLIS = 10_000;

    private final Map<String, Object> common = new HashMap<>();

    /**
     * Clients of a cluster.
     *
     * @param properties an operator's own settings (security, rack); what the service relies on wins over them
     */
    public KafkaClients(String bootstrapServers, Map<String, String> properties) {
        common.putAll(properties);
        common.put("bootstrap.servers", bootstrapServers);
        common.putIfAbsent("reconnect.backoff.max.ms", "1000");
        common.putIfAbsent("metric.reporters", ""); // no JMX beans: several services may share one JVM
        common.putIfAbsent("enable.metrics.push", "false");
    }

    Admin admin() {
        Map<String, Object> p = new HashMap<>(common);
        p.put(AdminClientConfig.CLIENT_ID_CONFIG, "tidegate-replay-watch");
        int millis = Math.toIntExact(ANSWER_WITHIN.toMillis());
        p.put(AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG, millis);
        p.put(AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, millis);
        return Admin.create(p);
    }

    Consumer<byte[], byte[]> tail() {
        Map<String, Object> p = consumer("tidegate-replay-tail");
        p.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, 8 << 20);
        p.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 1 << 20);
        p.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, Math.toIntExact(ANSWER_WITHIN.toMillis()));
        return new KafkaConsumer<>(p);
    }

    /** In a group, which shares the partitions out; offsets are not its business. */
    Consumer<byte[], byte[]> archive(String group) {
        Map<String, Object> p = consumer("tidegate-replay-archive");
        p.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        p.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, CooperativeStickyAssignor.class.getName());
        p.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, SESSION_MILLIS);
        p.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, SESSION_MILLIS / 4);
        p.put(ConsumerConfig.FETCH_MIN_BYTES_CONFIG, ARCHIVE_MIN_BYTES);
        p.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, ARCHIVE_WAIT_MILLIS);
        p.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, ArchiveFeed.FETCH_BYTES);
        p.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 1 << 20);
        p.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, Math.toIntExact(ANSWER_WITHIN.toMillis()));
        return new KafkaConsumer<>(p);
    }

    Map<String, Object> scan(String clientId, int fetchBytes) {
        Map<String, Object> p = consumer(clientId);
        p.put(ConsumerConfig.FETCH_MAX_BYTES_CONFIG, fetchBytes);
        p.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, fetchBytes);
        return p;
    }

    private Map<String, Object> consumer(String clientId) {
        Map<String, Object> p = new HashMap<>(common);
        p.put(ConsumerConfig.CLIENT_ID_CONFIG, clientId);
        p.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        p.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        p.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        p.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        // A position that is not in the log is for us to judge: a recreated topic, or records that have expired.
        p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
        p.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, POLL_RECORDS);
        p.remove(ConsumerConfig.GROUP_ID_CONFIG);
        return p;
    }
}

package dev.tidegate.it;

import static org.awaitility.Awaitility.await;

import dev.tidegate.testsupport.Topics;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/**
 * The fan-out topic seen from outside, through Kafka's own clients: written straight into, read as the truth that clients' lists are held against,
 * cut short, and recreated. Methods wait for Kafka, at most {@link #WITHIN}. Any thread.
 */
final class Topic implements AutoCloseable {

    static final Duration WITHIN = Duration.ofMinutes(1);

    private final String bootstrap;
    private final String name;
    private final Admin admin;
    private final KafkaProducer<byte[], byte[]> producer;

    Topic(String bootstrap, String name) {
        this.bootstrap = bootstrap;
        this.name = name;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        this.producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", bootstrap, "acks", "all", "linger.ms", "0"),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    String name() {
        return name;
    }

    /** The partition that Kafka's default partitioner gives a channel. */
    static int partitionOf(String channel) {
        return partitionOf(channel, Services.PARTITIONS);
    }

    /** The same where there are this many. */
    static int partitionOf(String channel, int partitions) {
        return Utils.toPositive(Utils.murmur2(channel.getBytes(StandardCharsets.UTF_8))) % partitions;
    }

    /** A channel of this prefix that lives in this partition. */
    static String channelIn(int partition, String prefix) {
        int i = 0;
        while (partitionOf(prefix + i) != partition) {
            i++;
        }
        return prefix + i;
    }

    /** Writes an event as any producer would, and returns its offset. */
    long write(String channel, String json) {
        return write(channel, json, List.of());
    }

    long write(String channel, String json, List<Header> headers) {
        byte[] key = channel.getBytes(StandardCharsets.UTF_8);
        return write(new ProducerRecord<>(name, null, key, json.getBytes(StandardCharsets.UTF_8), headers))
                .offset();
    }

    /** Writes a record as it stands. */
    RecordMetadata write(ProducerRecord<byte[], byte[]> record) {
        return get(producer.send(record));
    }

    /** The same without waiting. */
    Future<RecordMetadata> send(ProducerRecord<byte[], byte[]> record) {
        return producer.send(record);
    }

    /** All the topic holds now: per channel the records in the order of their offsets. */
    Map<String, List<ConsumerRecord<byte[], byte[]>>> read() {
        return Topics.records(bootstrap, name).stream()
                .filter(record -> record.key() != null)
                .collect(Collectors.groupingBy(record -> new String(record.key(), StandardCharsets.UTF_8)));
    }

    /** The {@code ce_id}s of these channels, in the order of the log, each once. */
    Map<String, List<String>> ids(List<String> channels) {
        Map<String, List<ConsumerRecord<byte[], byte[]>>> records = read();
        Map<String, List<String>> ids = new HashMap<>();
        for (String channel : channels) {
            ids.put(
                    channel,
                    records.getOrDefault(channel, List.of()).stream()
                            .map(record -> new String(
                                    record.headers().lastHeader("ce_id").value(), StandardCharsets.UTF_8))
                            .distinct()
                            .toList());
        }
        return ids;
    }

    /** Offset of the first record that is still there. */
    long firstOffset(int partition) {
        return offset(partition, OffsetSpec.earliest());
    }

    /** Offset that the next record will get. */
    long nextOffset(int partition) {
        return offset(partition, OffsetSpec.latest());
    }

    private long offset(int partition, OffsetSpec which) {
        TopicPartition at = new TopicPartition(name, partition);
        return get(admin.listOffsets(Map.of(at, which)).partitionResult(at)).offset();
    }

    /** Removes what lies before this offset, as retention does. */
    void deleteBefore(int partition, long offset) {
        TopicPartition at = new TopicPartition(name, partition);
        get(admin.deleteRecords(Map.of(at, RecordsToDelete.beforeOffset(offset)))
                .all());
    }

    /** Shortens the retention until Kafka has rolled and removed every segment of all partitions, then restores it. */
    void expireAll() {
        setRetention(Duration.ofMillis(1));
        await("Kafka removes what is older than the retention")
                .atMost(WITHIN)
                .until(() ->
                        partitions().stream().allMatch(p -> firstOffset(p.partition()) == nextOffset(p.partition())));
        setRetention(Duration.ofDays(7));
    }

    private void setRetention(Duration retention) {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, name);
        String value = Long.toString(retention.toMillis());
        get(admin.incrementalAlterConfigs(Map.of(
                        topic,
                        List.of(new AlterConfigOp(new ConfigEntry("retention.ms", value), AlterConfigOp.OpType.SET))))
                .all());
        await("the broker knows the new retention")
                .atMost(WITHIN)
                .until(() -> get(admin.describeConfigs(List.of(topic)).all())
                        .get(topic)
                        .get("retention.ms")
                        .value()
                        .equals(value));
    }

    /** Deletes the topic and makes one of the same name: another topic, with another epoch. */
    void recreate() {
        get(admin.deleteTopics(List.of(name)).all());
        await("the topic is gone").atMost(WITHIN).until(() -> !exists());
        get(admin.createTopics(List.of(new NewTopic(name, Services.PARTITIONS, (short) 1)))
                .all());
        await("the topic is back").atMost(WITHIN).until(this::exists);
        // and led: a producer's first batch that comes too early can cost it its delivery timeout
        get(admin.listOffsets(IntStream.range(0, Services.PARTITIONS)
                        .boxed()
                        .collect(Collectors.toMap(p -> new TopicPartition(name, p), p -> OffsetSpec.latest())))
                .all());
    }

    /** Adds partitions, which moves channels. */
    void grow(int partitions) {
        get(admin.createPartitions(Map.of(name, NewPartitions.increaseTo(partitions)))
                .all());
    }

    private boolean exists() {
        try {
            return admin.describeTopics(List.of(name))
                    .allTopicNames()
                    .get(WITHIN.toSeconds(), TimeUnit.SECONDS)
                    .containsKey(name);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof UnknownTopicOrPartitionException) {
                return false;
            }
            throw new AssertionError("Kafka: " + e.getCause(), e);
        } catch (TimeoutException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static List<TopicPartition> partitions(String topic) {
        List<TopicPartition> all = new ArrayList<>();
        for (int p = 0; p < Services.PARTITIONS; p++) {
            all.add(new TopicPartition(topic, p));
        }
        return all;
    }

    private List<TopicPartition> partitions() {
        return partitions(name);
    }

    private static <T> T get(Future<T> answer) {
        try {
            return answer.get(WITHIN.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new AssertionError("Kafka: " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new AssertionError("Kafka: no answer within " + WITHIN, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    @Override
    public void close() {
        producer.close(Duration.ofSeconds(2));
        admin.close(Duration.ofSeconds(2));
    }
}

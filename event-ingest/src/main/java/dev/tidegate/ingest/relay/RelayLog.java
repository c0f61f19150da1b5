package dev.tidegate.ingest.relay;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.KafkaSettings;
import dev.tidegate.ingest.publish.ProducerConfiguration;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.CloseOptions;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;

/**
 * The relay's end at Kafka: records and the position of their rows in one transaction. For one thread; after any exception
 * it is to be closed, and another one begun with.
 */
final class RelayLog implements AutoCloseable {
    /** Readers of committed records wait for an open transaction; one whose writer died is ended after this. */
    private static final int TRANSACTION_TIMEOUT_MILLIS = 10_000;

    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(10);

    /** A row that no broker will ever take. */
    static final class Refused extends Exception {
        final int index;

        Refused(int index, String why) {
            super(why, null, false, false);
            this.index = index;
        }
    }

    private final KafkaProducer<byte[], byte[]> producer;
    private final KafkaConsumer<byte[], byte[]> positions;
    private final TopicPartition where;

    /**
     * Does not wait for Kafka.
     *
     * @param table the relayed table's name
     */
    RelayLog(KafkaSettings kafka, FanoutSettings fanout, String table) {
        this.where = new TopicPartition(fanout.topic(), 0);
        this.positions = new KafkaConsumer<>(consumer(kafka, table));
        try {
            this.producer = new KafkaProducer<>(producer(kafka, fanout, table));
        } catch (KafkaException e) {
            close(positions);
            throw e;
        }
    }

    private static Map<String, Object> producer(KafkaSettings kafka, FanoutSettings fanout, String table) {
        Map<String, Object> config = ProducerConfiguration.client(kafka, "tidegate-relay-" + table);
        config.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        config.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, ByteArraySerializer.class);
        // The same in all instances, and for ever: whoever begins with it ends what another has left open.
        config.put(ProducerConfig.TRANSACTIONAL_ID_CONFIG, "tidegate-" + table + "-" + fanout.topic());
        config.put(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG, TRANSACTION_TIMEOUT_MILLIS);
        config.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS - 2_000);
        config.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS / 2 - 1_000);
        config.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, TRANSACTION_TIMEOUT_MILLIS);
        config.put(ProducerConfig.ACKS_CONFIG, "all");
        config.put(ProducerConfig.LINGER_MS_CONFIG, 0);
        config.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, Math.max(1 << 20, fanout.maxPayload() + (128 << 10)));
        return config;
    }

    private static Map<String, Object> consumer(KafkaSettings kafka, String table) {
        Map<String, Object> config = ProducerConfiguration.client(kafka, "tidegate-relay-" + table);
        config.put(ConsumerConfig.GROUP_ID_CONFIG, "tidegate-" + table);
        config.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        config.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        // An offset that a transaction is about to commit is waited for.
        config.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        config.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        config.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        return config;
    }

    /**
     * Ends what another relay of this table may have left open, shuts it out, and says which rows were relayed last.
     *
     * @throws KafkaException if Kafka does not do so in time
     */
    Optional<Position> begin() {
        producer.initTransactions();
        OffsetAndMetadata committed =
                positions.committed(Set.of(where), ASK_TIMEOUT).get(where);
        return committed == null ? Optional.empty() : Position.decode(committed.metadata());
    }

    /**
     * Writes records and their position; when it returns, both are committed.
     *
     * @throws Refused if one of them can never be written; none is then
     * @throws KafkaException if nobody knows what has become of them, until the next {@link #begin}
     */
    void write(List<ProducerRecord<byte[], byte[]>> records, Position position) throws Refused {
        List<Future<RecordMetadata>> sent = new ArrayList<>(records.size());
        try {
            producer.beginTransaction();
            for (ProducerRecord<byte[], byte[]> record : records) {
                sent.add(producer.send(record));
            }
            producer.sendOffsetsToTransaction(
                    Map.of(where, new OffsetAndMetadata(position.last(), position.encode())),
                    positions.groupMetadata());
            producer.commitTransaction();
        } catch (KafkaException e) {
            throwIfRefused(sent);
            throw e;
        }
    }

    private static void throwIfRefused(List<Future<RecordMetadata>> sent) throws Refused {
        for (int i = 0; i < sent.size(); i++) {
            Throwable failure = failure(sent.get(i));
            if (failure instanceof RecordTooLargeException
                    || failure instanceof InvalidRecordException
                    || failure instanceof InvalidTimestampException
                    || failure instanceof SerializationException) {
                throw new Refused(i, String.valueOf(failure.getMessage()));
            }
        }
    }

    private static @Nullable Throwable failure(Future<RecordMetadata> sent) {
        if (!sent.isDone()) {
            return null;
        }
        try {
            var _ = sent.get();
            return null;
        } catch (ExecutionException e) {
            return e.getCause();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        }
    }

    /** Ends it; a transaction that is open stays so until the next {@link #begin}, or its time is over. */
    @Override
    public void close() {
        producer.close(Duration.ZERO);
        close(positions);
    }

    private static void close(KafkaConsumer<?, ?> consumer) {
        consumer.close(CloseOptions.timeout(Duration.ZERO));
    }
}

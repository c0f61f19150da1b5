package dev.tidegate.ingest.rehome;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.FanoutRecord;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.Utils;

/** Where a record belongs, and what it is written there as. Stateless; any thread. */
final class Placement {
    private Placement() {}

    /** The partition of a channel: that of Kafka's default partitioner (murmur2 of the key). */
    static int home(byte[] key, int partitions) {
        return Utils.toPositive(Utils.murmur2(key)) % partitions;
    }

    /** Whether it lies elsewhere than its channel does. What cannot be an event anywhere is left where it lies. */
    static boolean isMisplaced(ConsumerRecord<byte[], byte[]> record, int partitions) {
        byte[] key = record.key();
        return key != null
                && key.length > 0
                && record.partition() != home(key, partitions)
                && record.value() != null
                && ChannelName.isValid(key);
    }

    /** The same event for its home. Its id is that of its first place unless it has one, its time stays. */
    static ProducerRecord<byte[], byte[]> moved(ConsumerRecord<byte[], byte[]> record, String epoch, int partitions) {
        Headers headers = new RecordHeaders(record.headers());
        if (!hasId(headers)) {
            headers.add(
                    FanoutRecord.HEADER_ID, ascii(new Cursor(epoch, record.partition(), record.offset()).toString()));
        }
        long timestamp = record.timestamp();
        // Where brokers stamp records, the copy gets the time of the move: the event's own must travel as an attribute.
        if (record.timestampType() == TimestampType.LOG_APPEND_TIME
                && headers.lastHeader(FanoutRecord.HEADER_TIME) == null) {
            headers.add(
                    FanoutRecord.HEADER_TIME,
                    ascii(Instant.ofEpochMilli(timestamp).toString()));
        }
        return new ProducerRecord<>(
                record.topic(),
                home(record.key(), partitions),
                timestamp < 0 ? null : timestamp,
                record.key(),
                record.value(),
                headers);
    }

    /** Whether readers find an id: they pass over broken ones, and so do we. */
    private static boolean hasId(Headers headers) {
        for (Header id : headers.headers(FanoutRecord.HEADER_ID)) {
            if (id.value() != null && FanoutRecord.isName(id.value())) {
                return true;
            }
        }
        return false;
    }

    private static byte[] ascii(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }
}

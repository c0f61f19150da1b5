package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;

/** Records as a poll of the fan-out topic brings them. */
final class Records {
    private Records() {}

    /** A payload of so many bytes: a JSON string, as the comparisons with other gateways use it. */
    static byte[] payload(int size) {
        byte[] out = new byte[size];
        java.util.Arrays.fill(out, (byte) 'x');
        out[0] = '"';
        out[size - 1] = '"';
        return out;
    }

    static byte[] channel(String prefix, int n) {
        return (prefix + n).getBytes(US_ASCII);
    }

    static ConsumerRecord<byte[], byte[]> of(int partition, long offset, byte[] channel, byte[] payload) {
        return new ConsumerRecord<>(
                "fanout",
                partition,
                offset,
                1_700_000_000_000L,
                TimestampType.CREATE_TIME,
                channel.length,
                payload.length,
                channel,
                payload,
                new RecordHeaders(),
                Optional.empty());
    }
}

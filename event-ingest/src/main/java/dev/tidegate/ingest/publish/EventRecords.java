package dev.tidegate.ingest.publish;

import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.PublishSettings;
import dev.tidegate.protocol.FanoutRecord;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.jspecify.annotations.Nullable;

/**
 * Writes an event as one CloudEvent in the Kafka binding's binary mode, key = channel; the producer's own partitioner
 * (murmur2 of the key) says where it goes. Immutable; any thread.
 */
public final class EventRecords {
    private static final Header SPEC_VERSION = header(FanoutRecord.HEADER_SPECVERSION, "1.0");

    private final String topic;
    private final Header defaultSource;
    private final Header defaultType;

    public EventRecords(FanoutSettings fanout, PublishSettings settings) {
        this.topic = fanout.topic();
        this.defaultSource = header(FanoutRecord.HEADER_SOURCE, settings.source());
        this.defaultType = header(FanoutRecord.HEADER_TYPE, settings.defaultType());
    }

    /**
     * The event's record.
     *
     * @param millis its time stamp
     */
    public ProducerRecord<byte[], byte[]> of(Event event, long millis) {
        List<Header> headers = new ArrayList<>(6 + event.attributes().size());
        headers.add(SPEC_VERSION);
        headers.add(header(FanoutRecord.HEADER_ID, event.id()));
        headers.add(event.source() == null ? defaultSource : header(FanoutRecord.HEADER_SOURCE, event.source()));
        headers.add(event.type() == null ? defaultType : header(FanoutRecord.HEADER_TYPE, event.type()));
        addIfPresent(headers, FanoutRecord.HEADER_CONTENT_TYPE, event.contentType());
        addIfPresent(headers, FanoutRecord.HEADER_TRACEPARENT, event.traceparent());
        for (Event.Attribute a : event.attributes()) {
            headers.add(header("ce_" + a.name(), a.value()));
        }
        return new ProducerRecord<>(
                topic, null, millis, event.channel().bytes(), event.payload(), new RecordHeaders(headers));
    }

    private static void addIfPresent(List<Header> headers, String name, @Nullable String value) {
        if (value != null) {
            headers.add(header(name, value));
        }
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value.getBytes(StandardCharsets.UTF_8));
    }
}

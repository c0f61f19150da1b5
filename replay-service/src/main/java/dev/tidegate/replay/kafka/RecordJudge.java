package dev.tidegate.replay.kafka;

import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FanoutRecord.Undeliverable;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.jspecify.annotations.Nullable;

/**
 * Decides whether a record of the topic is an event: as the gateway does, by {@link FanoutRecord#check} and by whether it
 * lies in the partition of its channel. One per reading thread.
 */
final class RecordJudge {
    /** Why a record is no event, as it is counted. */
    static final String MISPLACED = "misplaced";

    private final FanoutTopic topic;
    private final int maxPayloadBytes;
    private final FanoutRecord record = new FanoutRecord();

    RecordJudge(FanoutTopic topic, int maxPayloadBytes) {
        this.topic = topic;
        this.maxPayloadBytes = maxPayloadBytes;
    }

    /** Null if the record is an event, then {@link #event} is it; else why it is none. */
    @Nullable
    String whyNot(ConsumerRecord<byte[], byte[]> r) {
        byte @Nullable [] key = r.key();
        record.wrap(key, r.value(), r.timestamp());
        for (Header h : r.headers()) {
            record.header(h.key(), h.value());
        }
        Undeliverable why = record.check(maxPayloadBytes);
        if (why != null) {
            return label(why);
        }
        return topic.partitionOf(record.channel()) == r.partition() ? null : MISPLACED;
    }

    FanoutRecord event() {
        return record;
    }

    static String label(Undeliverable why) {
        return switch (why) {
            case NO_KEY -> "no_key";
            case CHANNEL_INVALID -> "channel_invalid";
            case NO_PAYLOAD -> "no_payload";
            case PAYLOAD_TOO_LARGE -> "payload_too_large";
            case PAYLOAD_NOT_JSON -> "payload_not_json";
            case PAYLOAD_NOT_UTF8 -> "payload_not_utf8";
        };
    }
}

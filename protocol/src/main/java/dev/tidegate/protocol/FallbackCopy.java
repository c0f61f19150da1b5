package dev.tidegate.protocol;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The copy of an event that goes over Redis Pub/Sub: what its fan-out record says, but no cursor, for it is published
 * before Kafka has answered. One message is one copy, big-endian:
 *
 * <pre>
 *  0  version, 1
 *  1  flags: 1 = ephemeral (there is no record of it in Kafka); others are ignored
 *  2  lengths in bytes, one byte each: channel, id, type, content type, traceparent (0 = absent)
 *  7  0, reserved
 *  8  lengths in bytes, two bytes each: source, subject (0 = absent)
 * 12  time, milliseconds since the epoch, eight bytes
 * 20  channel, id, type, content type, traceparent, source, subject, one behind the other; then the payload
 * </pre>
 *
 * <p>An id is always there: it is by this that the two copies of one event are known as one. Stateless values, any thread;
 * the arrays are not copied, neither in nor out.
 *
 * @param ephemeral whether the event is sent this way only
 * @param channel the channel's name, as the key of the fan-out record
 * @param id {@code ce_id}, as in the fan-out record
 * @param type {@code ce_type}, or null
 * @param source {@code ce_source}, or null
 * @param subject {@code ce_subject}, or null
 * @param timeMillis the event's time: what the fan-out record's {@code ce_time} or time stamp says
 * @param contentType null for JSON
 * @param traceparent the publisher's trace context, or null
 * @param payload what {@code contentType} says
 */
public record FallbackCopy(
        boolean ephemeral,
        byte[] channel,
        byte[] id,
        byte @Nullable [] type,
        byte @Nullable [] source,
        byte @Nullable [] subject,
        long timeMillis,
        byte @Nullable [] contentType,
        byte @Nullable [] traceparent,
        byte[] payload) {
    /** First byte of every message. A reader refuses others: a copy is worth less than a misunderstanding. */
    public static final byte VERSION = 1;

    /** Longest {@code traceparent} in bytes (version 00 has 55); a longer one is left out. */
    public static final int MAX_TRACEPARENT_BYTES = 255;

    /** Longest {@code source} and {@code subject} in bytes; a longer one is left out. */
    public static final int MAX_URI_BYTES = 1_024;

    private static final byte[] NOTHING = new byte[0];
    private static final int EPHEMERAL = 1;
    private static final int LENGTHS_AT = 2;
    private static final int URI_LENGTHS_AT = 8;
    private static final int TIME_AT = 12;
    private static final int HEAD_BYTES = 20;

    /** More than any message needs beside its payload: fixed part, five names, two URIs. */
    public static final int MAX_BYTES_BESIDE_PAYLOAD = HEAD_BYTES + 5 * 255 + 2 * MAX_URI_BYTES;

    /**
     * @throws IllegalArgumentException if {@code channel} is not a channel's name or {@code id} not 1 to 255 bytes of UTF-8
     *     without control characters
     */
    public FallbackCopy {
        if (!ChannelName.isValid(channel)) {
            throw new IllegalArgumentException("channel: not a channel name");
        }
        if (!FanoutRecord.isName(id)) {
            throw new IllegalArgumentException("id: not 1 to 255 bytes of UTF-8 without control characters");
        }
    }

    /** The Redis channel of a partition: one each, so that subscriptions are few; the same name for sharded Pub/Sub. */
    public static String redisChannel(String topic, int partition) {
        return "tidegate:" + topic + ':' + partition;
    }

    /** The message. An optional field that is too long is left out, as a reader of the fan-out record would ignore it. */
    public byte[] encode() {
        byte[] typeOrNone = bounded(type, FanoutRecord.MAX_NAME_BYTES);
        byte[] contentTypeOrNone = bounded(contentType, FanoutRecord.MAX_CONTENT_TYPE_BYTES);
        byte[] traceparentOrNone = bounded(traceparent, MAX_TRACEPARENT_BYTES);
        byte[] sourceOrNone = bounded(source, MAX_URI_BYTES);
        byte[] subjectOrNone = bounded(subject, MAX_URI_BYTES);
        int names = channel.length + id.length + typeOrNone.length + contentTypeOrNone.length;
        int rest = traceparentOrNone.length + sourceOrNone.length + subjectOrNone.length;
        return ByteBuffer.allocate(Math.addExact(HEAD_BYTES + names + rest, payload.length))
                .put(VERSION)
                .put((byte) (ephemeral ? EPHEMERAL : 0))
                .put((byte) channel.length)
                .put((byte) id.length)
                .put((byte) typeOrNone.length)
                .put((byte) contentTypeOrNone.length)
                .put((byte) traceparentOrNone.length)
                .put((byte) 0)
                .putShort((short) sourceOrNone.length)
                .putShort((short) subjectOrNone.length)
                .putLong(timeMillis)
                .put(channel)
                .put(id)
                .put(typeOrNone)
                .put(contentTypeOrNone)
                .put(traceparentOrNone)
                .put(sourceOrNone)
                .put(subjectOrNone)
                .put(payload)
                .array();
    }

    /**
     * Only the channel of a message, so that a copy that nobody wants costs no more than this; null if it has none that
     * is valid. The rest is not looked at.
     */
    public static byte @Nullable [] channelOf(byte[] message) {
        if (message.length < HEAD_BYTES || message[0] != VERSION) {
            return null;
        }
        int end = HEAD_BYTES + (message[LENGTHS_AT] & 0xff);
        if (end > message.length) {
            return null;
        }
        byte[] channel = Arrays.copyOfRange(message, HEAD_BYTES, end);
        return ChannelName.isValid(channel) ? channel : null;
    }

    /**
     * Reads a message. Its payload is whatever is left, so callers bound it, by {@link FanoutRecord#check} or before.
     *
     * @throws ProtocolException {@code bad_request}, naming the field, if it is not a copy
     */
    public static FallbackCopy decode(byte[] message) {
        if (message.length < HEAD_BYTES) {
            throw bad("copy: " + message.length + " bytes (expected: at least " + HEAD_BYTES + ")");
        }
        if (message[0] != VERSION) {
            throw bad("version: " + (message[0] & 0xff) + " (expected: " + VERSION + ")");
        }
        ByteBuffer in = ByteBuffer.wrap(message);
        int sourceLength = in.getShort(URI_LENGTHS_AT) & 0xffff;
        int subjectLength = in.getShort(URI_LENGTHS_AT + 2) & 0xffff;
        if (sourceLength > MAX_URI_BYTES || subjectLength > MAX_URI_BYTES) {
            throw bad("source, subject: " + sourceLength + ", " + subjectLength + " bytes (expected: at most "
                    + MAX_URI_BYTES + ")");
        }
        int attributes = sourceLength + subjectLength;
        for (int i = LENGTHS_AT; i < LENGTHS_AT + 5; i++) {
            attributes += message[i] & 0xff;
        }
        if (message.length < HEAD_BYTES + attributes) {
            throw bad("copy: " + message.length + " bytes (expected: at least " + (HEAD_BYTES + attributes)
                    + ", as its lengths say)");
        }
        in.position(HEAD_BYTES);
        byte[] channel = take(in, message[LENGTHS_AT] & 0xff);
        byte[] id = take(in, message[LENGTHS_AT + 1] & 0xff);
        if (!ChannelName.isValid(channel)) {
            throw bad("channel: not a channel name");
        }
        if (!FanoutRecord.isName(id)) {
            throw bad("id: " + id.length + " bytes (expected: 1 to 255 of UTF-8 without control characters)");
        }
        byte[] type = takeOrNull(in, message[LENGTHS_AT + 2] & 0xff);
        byte[] contentType = takeOrNull(in, message[LENGTHS_AT + 3] & 0xff);
        byte[] traceparent = takeOrNull(in, message[LENGTHS_AT + 4] & 0xff);
        byte[] source = takeOrNull(in, sourceLength);
        byte[] subject = takeOrNull(in, subjectLength);
        boolean ephemeral = (message[1] & EPHEMERAL) != 0;
        long time = in.getLong(TIME_AT);
        byte[] payload = take(in, in.remaining());
        return new FallbackCopy(ephemeral, channel, id, type, source, subject, time, contentType, traceparent, payload);
    }

    /** Lets a record view show this event, as it would show the same event's fan-out record. */
    public FanoutRecord view(FanoutRecord record) {
        record.wrap(channel, payload, timeMillis);
        record.header(FanoutRecord.HEADER_ID, id);
        if (type != null) {
            record.header(FanoutRecord.HEADER_TYPE, type);
        }
        if (contentType != null) {
            record.header(FanoutRecord.HEADER_CONTENT_TYPE, contentType);
        }
        return record;
    }

    @Override
    public String toString() {
        return new String(channel, StandardCharsets.US_ASCII) + ' ' + new String(id, StandardCharsets.UTF_8);
    }

    private static byte[] bounded(byte @Nullable [] field, int maxBytes) {
        return field == null || field.length > maxBytes ? NOTHING : field;
    }

    private static byte[] take(ByteBuffer in, int length) {
        byte[] out = new byte[length];
        in.get(out);
        return out;
    }

    private static byte @Nullable [] takeOrNull(ByteBuffer in, int length) {
        return length == 0 ? null : take(in, length);
    }

    private static ProtocolException bad(String message) {
        return new ProtocolException(ErrorCode.BAD_REQUEST, message);
    }
}

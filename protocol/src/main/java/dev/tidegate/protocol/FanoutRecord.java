package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.OffsetDateTime;
import org.jspecify.annotations.Nullable;

/**
 * A view of one record of the fan-out topic: a CloudEvent in the Kafka binding's binary mode (key = channel, value =
 * payload, headers {@code ce_id}, {@code ce_type}, {@code ce_time}, {@code content-type} …, all optional). It is a
 * flyweight: one per reading thread, {@link #wrap wrapped} around record after record; it holds the arrays it was given
 * and copies nothing. Not thread-safe.
 *
 * <p>Both the gateway and the replay service judge records by {@link #check}, so they agree on what is an event. A header
 * that is broken is treated as absent (and reported by {@link #ignoredHeaders}): the payload is good, so it is delivered.
 */
public final class FanoutRecord {
    public static final String HEADER_ID = "ce_id";
    public static final String HEADER_TYPE = "ce_type";
    public static final String HEADER_SOURCE = "ce_source";
    public static final String HEADER_TIME = "ce_time";
    public static final String HEADER_SUBJECT = "ce_subject";
    public static final String HEADER_SPECVERSION = "ce_specversion";
    public static final String HEADER_CONTENT_TYPE = "content-type";
    public static final String HEADER_TRACEPARENT = "traceparent";

    /** Longest {@code ce_id} and {@code ce_type} in bytes; a longer one is ignored. */
    public static final int MAX_NAME_BYTES = 255;

    /** Longest {@code content-type} in bytes; a longer one is ignored. */
    public static final int MAX_CONTENT_TYPE_BYTES = 255;

    /** Why a record cannot be delivered. Such a record still occupies its offset. */
    public enum Undeliverable {
        NO_KEY,
        CHANNEL_INVALID,
        NO_PAYLOAD,
        PAYLOAD_TOO_LARGE,
        PAYLOAD_NOT_JSON,
        PAYLOAD_NOT_UTF8
    }

    /** How the payload stands in an event frame. */
    public enum PayloadKind {
        JSON,
        TEXT,
        BINARY
    }

    private static final byte[] NOTHING = new byte[0];
    private static final byte[] APPLICATION_JSON = ascii("application/json");
    private static final byte[] PLUS_JSON = ascii("+json");
    private static final byte[] TEXT = ascii("text/");
    private static final byte[] CHARSET = ascii("charset=");
    private static final byte[] UTF8 = ascii("utf-8");

    private byte @Nullable [] key;
    private byte @Nullable [] value;
    private byte @Nullable [] id;
    private byte @Nullable [] type;
    private byte @Nullable [] contentType;
    private long timeMillis;
    private int ignoredHeaders;
    private PayloadKind payloadKind = PayloadKind.JSON;

    /**
     * Starts over with another record; its headers are then given to {@link #header}.
     *
     * @param timestampMillis the record's own time stamp, the event's time unless a {@code ce_time} says otherwise
     */
    public FanoutRecord wrap(byte @Nullable [] newKey, byte @Nullable [] newValue, long timestampMillis) {
        key = newKey;
        value = newValue;
        timeMillis = timestampMillis;
        id = null;
        type = null;
        contentType = null;
        ignoredHeaders = 0;
        payloadKind = PayloadKind.JSON;
        return this;
    }

    /** One header of the record, in any order; of two with one name the last counts, as in Kafka's own reading. */
    public void header(String name, byte @Nullable [] v) {
        switch (name) {
            case HEADER_ID -> id = nameOrIgnored(v, id);
            case HEADER_TYPE -> type = nameOrIgnored(v, type);
            case HEADER_TIME -> time(v);
            case HEADER_CONTENT_TYPE -> contentType(v);
            default -> {
                // Not ours: producers add what they like.
            }
        }
    }

    /** Null if the record is an event, else why it is none. Allocates nothing. */
    public @Nullable Undeliverable check(int maxPayloadBytes) {
        if (key == null || key.length == 0) {
            return Undeliverable.NO_KEY;
        }
        if (!ChannelName.isValid(key)) {
            return Undeliverable.CHANNEL_INVALID;
        }
        if (value == null) {
            return Undeliverable.NO_PAYLOAD;
        }
        if (value.length > maxPayloadBytes) {
            return Undeliverable.PAYLOAD_TOO_LARGE;
        }
        return switch (payloadKind) {
            case JSON -> JsonScanner.isValid(value) ? null : Undeliverable.PAYLOAD_NOT_JSON;
            case TEXT -> Utf8.isValid(value, 0, value.length) ? null : Undeliverable.PAYLOAD_NOT_UTF8;
            case BINARY -> null;
        };
    }

    /** The channel's name, in bytes; empty if the record has no key. */
    public byte[] channel() {
        return key == null ? NOTHING : key;
    }

    /** The payload; empty if the record has none. */
    public byte[] payload() {
        return value == null ? NOTHING : value;
    }

    /** The event's id as the producer gave it, or null: it is then derived from the cursor. */
    public byte @Nullable [] id() {
        return id;
    }

    /** The event's type, or null. */
    public byte @Nullable [] type() {
        return type;
    }

    /** The content type as the producer gave it, or null (JSON). */
    public byte @Nullable [] contentType() {
        return contentType;
    }

    /** The event's time, milliseconds since the epoch. */
    public long timeMillis() {
        return timeMillis;
    }

    /** How the payload is to be read. */
    public PayloadKind payloadKind() {
        return payloadKind;
    }

    /** How many headers of ours were broken and so treated as absent. */
    public int ignoredHeaders() {
        return ignoredHeaders;
    }

    /** The kind of payload a content type announces; null (absent) is JSON. */
    public static PayloadKind payloadKind(byte @Nullable [] contentType) {
        if (contentType == null) {
            return PayloadKind.JSON;
        }
        int end = 0;
        while (end < contentType.length && contentType[end] != ';') {
            end++;
        }
        int media = end;
        while (media > 0 && contentType[media - 1] == ' ') {
            media--;
        }
        boolean json = (media == APPLICATION_JSON.length && matches(contentType, 0, APPLICATION_JSON))
                || (media > PLUS_JSON.length && matches(contentType, media - PLUS_JSON.length, PLUS_JSON));
        if (json) {
            return PayloadKind.JSON;
        }
        if (!matches(contentType, 0, TEXT)) {
            return PayloadKind.BINARY;
        }
        for (int i = end; i + CHARSET.length < contentType.length; i++) {
            if (matches(contentType, i, CHARSET)) {
                int at = i + CHARSET.length;
                if (contentType[at] == '"') {
                    at++;
                }
                return matches(contentType, at, UTF8) || matches(contentType, at, ascii("us-ascii"))
                        ? PayloadKind.TEXT
                        : PayloadKind.BINARY;
            }
        }
        return PayloadKind.TEXT;
    }

    private byte @Nullable [] nameOrIgnored(byte @Nullable [] v, byte @Nullable [] before) {
        if (v == null) {
            ignoredHeaders++;
            return before;
        }
        boolean ok = v.length > 0 && v.length <= MAX_NAME_BYTES && Utf8.isValid(v, 0, v.length);
        for (int i = 0; ok && i < v.length; i++) {
            ok = (v[i] >= 0x20 && v[i] != 0x7f) || v[i] < 0; // no line breaks: the type is a line of an SSE block
        }
        if (!ok) {
            ignoredHeaders++;
            return before;
        }
        return v;
    }

    private void contentType(byte @Nullable [] v) {
        if (v == null) {
            ignoredHeaders++;
            return;
        }
        boolean ok = v.length > 0 && v.length <= MAX_CONTENT_TYPE_BYTES;
        for (int i = 0; ok && i < v.length; i++) {
            ok = v[i] >= 0x20 && v[i] != 0x7f;
        }
        if (!ok) {
            ignoredHeaders++;
            return;
        }
        contentType = v;
        payloadKind = payloadKind(v);
    }

    private void time(byte @Nullable [] v) {
        if (v == null || v.length < 20 || v.length > 40) {
            ignoredHeaders++;
            return;
        }
        try {
            timeMillis = OffsetDateTime.parse(new String(v, StandardCharsets.US_ASCII))
                    .toInstant()
                    .toEpochMilli();
        } catch (DateTimeException | ArithmeticException e) {
            ignoredHeaders++;
        }
    }

    private static boolean matches(byte[] b, int at, byte[] lowerCase) {
        if (b.length - at < lowerCase.length) {
            return false;
        }
        for (int i = 0; i < lowerCase.length; i++) {
            int c = b[at + i];
            if (c >= 'A' && c <= 'Z') {
                c += 32;
            }
            if (c != lowerCase[i]) {
                return false;
            }
        }
        return true;
    }

    private static byte[] ascii(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }
}

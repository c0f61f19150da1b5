package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
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

    /** Longest {@code ce_id}, {@code ce_type} and {@code ce_subject} in bytes; a longer one is ignored. */
    public static final int MAX_NAME_BYTES = 255;

    /** Longest {@code content-type} in bytes; a longer one is ignored. */
    public static final int MAX_CONTENT_TYPE_BYTES = 255;

    /** Longest {@code ce_time} in bytes; a longer one is ignored. */
    public static final int MAX_TIME_BYTES = 40;

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
    private static final byte[][] UTF8_COMPATIBLE = {ascii("utf-8"), ascii("utf8"), ascii("us-ascii")};

    private byte @Nullable [] key;
    private byte @Nullable [] value;
    private byte @Nullable [] id;
    private byte @Nullable [] type;
    private byte @Nullable [] subject;
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
        subject = null;
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
            case HEADER_SUBJECT -> subject = nameOrIgnored(v, subject);
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

    /** What the event is about (CloudEvents' subject), or null: where a slow client gets the newest of each, this is the key. */
    public byte @Nullable [] subject() {
        return subject;
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

    /**
     * Whether these bytes may be an event's id or type: 1 to {@link #MAX_NAME_BYTES} bytes of UTF-8 without control
     * characters (a type is a line of a server-sent event). Whoever takes ids and types from clients must refuse others,
     * since a record that carries one is delivered without it.
     */
    public static boolean isName(byte[] v) {
        if (v.length == 0 || v.length > MAX_NAME_BYTES || !Utf8.isValid(v, 0, v.length)) {
            return false;
        }
        for (byte b : v) {
            if ((b >= 0 && b < 0x20) || b == 0x7f) {
                return false;
            }
        }
        return true;
    }

    /**
     * Checks what somebody wants an id, a type or another name of theirs to be.
     *
     * @return the value
     * @throws ProtocolException {@code bad_request} naming {@code field}, unless {@link #isName}
     */
    public static String checkName(String field, String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        boolean unchanged = new String(utf8, StandardCharsets.UTF_8).equals(value); // not so with half a surrogate pair
        if (!unchanged || !isName(utf8)) {
            boolean fits = utf8.length > 0 && utf8.length <= MAX_NAME_BYTES;
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    field + ": " + (fits ? "a character that is not allowed" : utf8.length + " bytes")
                            + " (expected: 1 to " + MAX_NAME_BYTES + " bytes of UTF-8 without control characters)");
        }
        return value;
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
                return utf8Compatible(contentType, i + CHARSET.length) ? PayloadKind.TEXT : PayloadKind.BINARY;
            }
        }
        return PayloadKind.TEXT;
    }

    private static boolean utf8Compatible(byte[] contentType, int i) {
        int at = i < contentType.length && contentType[i] == '"' ? i + 1 : i;
        for (byte[] name : UTF8_COMPATIBLE) {
            int end = at + name.length;
            boolean ends = end >= contentType.length || " \t;\"".indexOf(contentType[end]) >= 0;
            if (ends && matches(contentType, at, name)) {
                return true;
            }
        }
        return false;
    }

    private byte @Nullable [] nameOrIgnored(byte @Nullable [] v, byte @Nullable [] before) {
        if (v == null || !isName(v)) {
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
        long parsed = v == null || v.length > MAX_TIME_BYTES ? Rfc3339.INVALID : Rfc3339.toEpochMilli(v);
        if (parsed == Rfc3339.INVALID) {
            ignoredHeaders++;
        } else {
            timeMillis = parsed;
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

package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Encodes {@code event} frames: once per record and wire format, on the gateway's tailer thread and in the replay
 * service. Member order is fixed (golden bytes in the tests), with {@code data} last, so that reading the head of a
 * frame never has to look into a payload. Stateless.
 */
public final class EventFrames {
    /** In place of an offset: the event is provisional and has neither {@code cursor} nor {@code prev}. */
    public static final long NO_OFFSET = -2;

    private static final byte[] HEAD = ascii("{\"op\":\"event\",\"channel\":\"");
    private static final byte[] CURSOR = ascii("\",\"cursor\":\"");
    private static final byte[] PREV = ascii("\",\"prev\":");
    private static final byte[] ID = ascii(",\"id\":");
    private static final byte[] TYPE = ascii(",\"type\":");
    private static final byte[] TIME = ascii(",\"time\":");
    private static final byte[] REPLAY = ascii(",\"replay\":true");
    private static final byte[] CONTENT_TYPE = ascii(",\"contentType\":");
    private static final byte[] DATA = ascii(",\"data\":");
    private static final byte[] DATA64 = ascii(",\"data64\":\"");

    private EventFrames() {}

    /**
     * Appends the frame of a record that passed {@link FanoutRecord#check}.
     *
     * @param offset the record's offset, or {@link #NO_OFFSET}
     * @param prev an offset such that the channel has no event strictly between it and {@code offset}
     * @param replay whether the event is replayed
     * @throws IllegalArgumentException for a provisional event without an id: it could not be told from its second copy
     */
    public static void encode(
            FrameBuffer out, String epoch, int partition, long offset, long prev, FanoutRecord record, boolean replay) {
        byte[] id = record.id();
        if (id == null && offset == NO_OFFSET) {
            throw new IllegalArgumentException("a provisional event needs an id");
        }
        out.raw(HEAD).raw(record.channel());
        if (offset == NO_OFFSET) {
            out.raw('"');
        } else {
            out.raw(CURSOR).ascii(epoch).raw('.').number(partition).raw('.').number(offset);
            out.raw(PREV).number(prev);
        }
        out.raw(ID);
        if (id != null) {
            out.jsonString(id);
        } else {
            out.raw('"')
                    .ascii(epoch)
                    .raw('.')
                    .number(partition)
                    .raw('.')
                    .number(offset)
                    .raw('"');
        }
        byte[] type = record.type();
        if (type != null) {
            out.raw(TYPE).jsonString(type);
        }
        out.raw(TIME).number(record.timeMillis());
        if (replay) {
            out.raw(REPLAY);
        }
        payload(out, record);
        out.raw('}');
    }

    /**
     * Appends the same frame, byte for byte, of an event that was stored as one run of bytes.
     *
     * @param prev an offset such that the channel has no event strictly between it and {@code offset}
     */
    public static void encode(
            FrameBuffer out, String epoch, int partition, long offset, long prev, EventSlices event, boolean replay) {
        byte[] b = event.bytes();
        out.raw(HEAD).raw(b, event.channelAt(), event.channelLength());
        out.raw(CURSOR).ascii(epoch).raw('.').number(partition).raw('.').number(offset);
        out.raw(PREV).number(prev).raw(ID);
        if (event.idLength() > 0) {
            out.jsonString(b, event.idAt(), event.idLength());
        } else {
            out.raw('"').ascii(epoch).raw('.').number(partition).raw('.').number(offset);
            out.raw('"');
        }
        if (event.typeLength() > 0) {
            out.raw(TYPE).jsonString(b, event.typeAt(), event.typeLength());
        }
        out.raw(TIME).number(event.timeMillis());
        if (replay) {
            out.raw(REPLAY);
        }
        if (event.payloadKind() != FanoutRecord.PayloadKind.JSON && event.contentTypeLength() > 0) {
            out.raw(CONTENT_TYPE).jsonString(b, event.contentTypeAt(), event.contentTypeLength());
        }
        switch (event.payloadKind()) {
            case JSON -> out.raw(DATA).jsonOneLine(b, event.payloadAt(), event.payloadLength());
            case TEXT -> out.raw(DATA).jsonString(b, event.payloadAt(), event.payloadLength());
            case BINARY ->
                out.raw(DATA64)
                        .base64(b, event.payloadAt(), event.payloadLength())
                        .raw('"');
        }
        out.raw('}');
    }

    /** The type of an event frame, or null if it has none; for connections that spell it outside of the frame. */
    public static byte @Nullable [] typeOf(byte[] frame) {
        for (JsonValue.Member m : JsonValue.parse(frame, 0, frame.length).members()) {
            if (m.name().equals("type")) {
                return m.value().string("type").getBytes(StandardCharsets.UTF_8);
            }
        }
        return null;
    }

    /** What a line with the frame of an event with an offset says in its head; null if it is not spelled as here. */
    static Replay.Line.@Nullable Event decodeHead(byte[] line) {
        int channelEnd = startsWith(line, 0, HEAD) ? end(line, HEAD.length, '"') : -1;
        if (channelEnd < 0 || !startsWith(line, channelEnd, CURSOR) || line[line.length - 1] != '}') {
            return null;
        }
        int cursorStart = channelEnd + CURSOR.length;
        int cursorEnd = end(line, cursorStart, '"');
        if (cursorEnd < 0 || !startsWith(line, cursorEnd, PREV)) {
            return null;
        }
        int prevStart = cursorEnd + PREV.length;
        int prevEnd = end(line, prevStart, ',');
        String number = prevEnd < 0 ? "" : ascii(line, prevStart, prevEnd);
        long prev = Cursor.offset(number, 0, number.length());
        return prev < Cursor.BEFORE_FIRST
                ? null
                : new Replay.Line.Event(Cursor.parse(ascii(line, cursorStart, cursorEnd)), prev, line);
    }

    private static boolean startsWith(byte[] b, int at, byte[] prefix) {
        return b.length - at >= prefix.length && Arrays.equals(b, at, at + prefix.length, prefix, 0, prefix.length);
    }

    /** The index of the first such byte, or -1; a head is short, so the search is. */
    private static int end(byte[] b, int from, char wanted) {
        int to = Math.min(b.length, from + ChannelName.MAX_BYTES + 1);
        for (int i = from; i < to; i++) {
            if (b[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    private static void payload(FrameBuffer out, FanoutRecord record) {
        byte[] payload = record.payload();
        switch (record.payloadKind()) {
            case JSON -> out.raw(DATA).jsonOneLine(payload, 0, payload.length);
            case TEXT -> {
                contentType(out, record);
                out.raw(DATA).jsonString(payload);
            }
            case BINARY -> {
                contentType(out, record);
                out.raw(DATA64).base64(payload, 0, payload.length).raw('"');
            }
        }
    }

    private static void contentType(FrameBuffer out, FanoutRecord record) {
        byte[] contentType = record.contentType();
        if (contentType != null) {
            out.raw(CONTENT_TYPE).jsonString(contentType);
        }
    }

    private static String ascii(byte[] b, int from, int to) {
        return new String(b, from, to - from, StandardCharsets.US_ASCII);
    }

    private static byte[] ascii(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }
}

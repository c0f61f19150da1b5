package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a gateway and a replay service say to each other about durable cursors: {@code POST /v1/cursors/ack} stores a batch,
 * {@code POST /v1/cursors/find} looks a batch up. Both take a JSON array and answer for its elements by their indexes. Stateless.
 */
public final class DurableCursors {
    /** Most elements of one call. */
    public static final int MAX_BATCH = 1024;

    private DurableCursors() {}

    /**
     * Whose cursor it is, in which channel.
     *
     * @param subject the authenticated subject
     * @param durable the name that the subscriber gave it
     */
    public record CursorKey(String subject, String durable, ChannelName channel) {
        public CursorKey {
            checkName("subject", subject);
            checkName("durable", durable);
        }
    }

    /** A cursor to be stored, unless a later one of the same partition is there. */
    public record Ack(CursorKey key, Cursor cursor) {}

    /** Checks a name. @throws ProtocolException {@code bad_request} if it is not 1 to 255 bytes of UTF-8 without control characters */
    public static void checkName(String field, String value) {
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        boolean unchanged = new String(utf8, StandardCharsets.UTF_8).equals(value); // not so with half a surrogate pair
        if (!unchanged || !FanoutRecord.isName(utf8)) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    field + ": " + utf8.length + " bytes, or characters that are not allowed (expected: 1 to "
                            + FanoutRecord.MAX_NAME_BYTES + " bytes of UTF-8 without control characters)");
        }
    }

    /** Appends the body of an {@code ack} call. */
    public static void encodeAcks(FrameBuffer out, List<Ack> acks) {
        out.raw('[');
        for (int i = 0; i < acks.size(); i++) {
            key(out, i, acks.get(i).key());
            out.ascii(",\"cursor\":")
                    .jsonString(acks.get(i).cursor().toString())
                    .raw('}');
        }
        out.raw(']');
    }

    /** Decodes it. @throws ProtocolException {@code bad_request}, {@code channel_invalid}, {@code cursor_invalid} */
    public static List<Ack> decodeAcks(byte[] body) {
        return elements(body, m -> new Ack(key(m), Cursor.parse(text(m, "cursor"))));
    }

    /** Appends the body of a {@code find} call. */
    public static void encodeKeys(FrameBuffer out, List<CursorKey> keys) {
        out.raw('[');
        for (int i = 0; i < keys.size(); i++) {
            key(out, i, keys.get(i));
            out.raw('}');
        }
        out.raw(']');
    }

    /** Decodes it. @throws ProtocolException {@code bad_request}, {@code channel_invalid} */
    public static List<CursorKey> decodeKeys(byte[] body) {
        return elements(body, DurableCursors::key);
    }

    /** Appends the answer to {@code ack}: the indexes of those refused because their subject has too many cursors. */
    public static void encodeStored(FrameBuffer out, List<Integer> refused) {
        out.ascii("{\"refused\":[");
        for (int i = 0; i < refused.size(); i++) {
            if (i > 0) {
                out.raw(',');
            }
            out.number(refused.get(i));
        }
        out.ascii("]}");
    }

    /** Decodes it. @throws ProtocolException {@code bad_request} if it is none */
    public static List<Integer> decodeStored(byte[] body) {
        List<Integer> refused = new ArrayList<>();
        for (JsonValue v :
                need(members(JsonValue.parse(body, 0, body.length)), "refused").elements(MAX_BATCH)) {
            refused.add((int) v.integer("refused", 0, MAX_BATCH - 1));
        }
        return refused;
    }

    /** Appends the answer to {@code find}: for each key its cursor, or null if none was ever acknowledged. */
    public static void encodeFound(FrameBuffer out, List<@Nullable Cursor> found) {
        out.ascii("{\"cursors\":[");
        for (int i = 0; i < found.size(); i++) {
            if (i > 0) {
                out.raw(',');
            }
            Cursor c = found.get(i);
            if (c == null) {
                out.ascii("null");
            } else {
                out.jsonString(c.toString());
            }
        }
        out.ascii("]}");
    }

    /** Decodes it. @throws ProtocolException {@code bad_request}, {@code cursor_invalid} if it is none */
    public static List<@Nullable Cursor> decodeFound(byte[] body) {
        List<@Nullable Cursor> found = new ArrayList<>();
        for (JsonValue v :
                need(members(JsonValue.parse(body, 0, body.length)), "cursors").elements(MAX_BATCH)) {
            found.add(v.kind() == JsonValue.Kind.NULL ? null : Cursor.parse(v.string("cursor")));
        }
        return found;
    }

    private static void key(FrameBuffer out, int index, CursorKey key) {
        out.ascii(index == 0 ? "{\"subject\":" : ",{\"subject\":").jsonString(key.subject());
        out.ascii(",\"durable\":").jsonString(key.durable());
        out.ascii(",\"channel\":").jsonString(key.channel().value());
    }

    private static CursorKey key(Map<String, JsonValue> m) {
        return new CursorKey(text(m, "subject"), text(m, "durable"), new ChannelName(text(m, "channel")));
    }

    private static <T> List<T> elements(byte[] body, Function<Map<String, JsonValue>, T> decode) {
        JsonValue root = JsonValue.parse(body, 0, body.length);
        if (root.kind() != JsonValue.Kind.ARRAY) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, "body: not an array (expected: a list of cursors)");
        }
        List<JsonValue> elements = root.elements(MAX_BATCH + 1);
        if (elements.isEmpty() || elements.size() > MAX_BATCH) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    "body: " + (elements.isEmpty() ? "no" : "too many") + " cursors (expected: 1 to " + MAX_BATCH
                            + ")");
        }
        List<T> out = new ArrayList<>(elements.size());
        for (int i = 0; i < elements.size(); i++) {
            try {
                out.add(decode.apply(members(elements.get(i))));
            } catch (ProtocolException e) {
                throw new ProtocolException(e.code(), "cursor " + i + ": " + e.text());
            }
        }
        return out;
    }

    private static String text(Map<String, JsonValue> m, String name) {
        return need(m, name).string(name);
    }

    private static Map<String, JsonValue> members(JsonValue v) {
        if (v.kind() != JsonValue.Kind.OBJECT) {
            throw v.wrong("value", "an object");
        }
        Map<String, JsonValue> m = new HashMap<>();
        for (JsonValue.Member member : v.members()) {
            m.put(member.name(), member.value());
        }
        return m;
    }

    private static JsonValue need(Map<String, JsonValue> m, String name) {
        JsonValue v = m.get(name);
        if (v == null) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, name + ": missing (expected: a value)");
        }
        return v;
    }
}

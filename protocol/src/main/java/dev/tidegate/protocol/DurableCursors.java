package dev.tidegate.protocol;

import java.util.ArrayList;
import java.util.List;
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
            var _ = FanoutRecord.checkName("subject", subject);
            var _ = FanoutRecord.checkName("durable", durable);
        }
    }

    /** A cursor to be stored, unless a later one of the same partition is there. */
    public record Ack(CursorKey key, Cursor cursor) {}

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
        return JsonObject.decodeList(body, "cursor", MAX_BATCH, o -> new Ack(key(o), o.cursor("cursor")));
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
        return JsonObject.decodeList(body, "cursor", MAX_BATCH, DurableCursors::key);
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
        for (JsonValue v : JsonObject.parse(body).elements("refused", MAX_BATCH)) {
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
        for (JsonValue v : JsonObject.parse(body).elements("cursors", MAX_BATCH)) {
            found.add(v.kind() == JsonValue.Kind.NULL ? null : Cursor.parse(v.string("cursor")));
        }
        return found;
    }

    private static void key(FrameBuffer out, int index, CursorKey key) {
        out.ascii(index == 0 ? "{\"subject\":" : ",{\"subject\":").jsonString(key.subject());
        out.ascii(",\"durable\":").jsonString(key.durable());
        out.ascii(",\"channel\":").jsonString(key.channel().value());
    }

    private static CursorKey key(JsonObject o) {
        return new CursorKey(o.text("subject"), o.text("durable"), o.channel());
    }
}

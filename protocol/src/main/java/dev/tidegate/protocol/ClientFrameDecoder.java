package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Decodes the text frames of clients. Stateless; any thread. Unknown members are ignored, as the contract says. */
public final class ClientFrameDecoder {
    /** Longest {@code id}, in characters of its JSON; it is echoed, so it is bounded. */
    public static final int MAX_ID_LENGTH = 128;

    /** Longest token: the header line that carries one elsewhere is bounded at 8 KiB. */
    public static final int MAX_TOKEN_LENGTH = 8192;

    private ClientFrameDecoder() {}

    /**
     * A decoded frame, or why it is none together with the id to answer with, so that a client that pipelines knows
     * which of its frames failed.
     */
    public sealed interface Decoded {
        /** A valid frame. */
        record Frame(ClientFrame frame) implements Decoded {}

        /** An invalid one; {@code id} is the raw JSON of its id if one could be read. */
        record Invalid(@Nullable String id, @Nullable String channel, ProtocolException cause) implements Decoded {}
    }

    /** Decodes one text frame; never throws for what a client sent. */
    public static Decoded decode(byte[] b, int from, int to) {
        String id = null;
        String channel = null;
        try {
            JsonValue root = JsonValue.parse(b, from, to);
            if (root.kind() != JsonValue.Kind.OBJECT) {
                throw new ProtocolException(ErrorCode.BAD_REQUEST, "frame: not an object (expected: {\"op\":…})");
            }
            Map<String, JsonValue> m = new HashMap<>();
            for (JsonValue.Member member : root.members()) {
                m.put(member.name(), member.value());
            }
            id = id(m);
            JsonValue c = m.get("channel");
            channel = c != null && c.kind() == JsonValue.Kind.STRING ? shown(c.string("channel")) : null;
            return new Decoded.Frame(frame(id, m));
        } catch (ProtocolException e) {
            return new Decoded.Invalid(id, channel, e);
        }
    }

    private static String shown(String channel) {
        return channel.length() <= ChannelName.MAX_BYTES ? channel : channel.substring(0, ChannelName.MAX_BYTES);
    }

    private static ClientFrame frame(@Nullable String id, Map<String, JsonValue> m) {
        String op = required(m, "op", 32);
        return switch (op) {
            case "connect" -> new ClientFrame.Connect(id, required(m, "token", MAX_TOKEN_LENGTH));
            case "subscribe" -> subscribe(id, m);
            case "unsubscribe" -> new ClientFrame.Unsubscribe(id, channel(m));
            case "publish" -> publish(id, m);
            case "ack" ->
                new ClientFrame.Ack(
                        id,
                        channel(m),
                        Cursor.parse(required(m, "cursor", Integer.MAX_VALUE)),
                        requiredName(m, "durable"));
            case "presence" -> new ClientFrame.Presence(id, channel(m));
            case "ping" -> new ClientFrame.Ping(id);
            default ->
                throw new ProtocolException(
                        ErrorCode.BAD_REQUEST,
                        "op: '" + op + "' (expected: connect, subscribe, unsubscribe, publish, ack, presence or ping)");
        };
    }

    private static ClientFrame.Subscribe subscribe(@Nullable String id, Map<String, JsonValue> m) {
        ChannelName channel = channel(m);
        String after = optional(m, "after", Integer.MAX_VALUE);
        JsonValue last = present(m, "last");
        if (after != null && last != null) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "after, last: both given (expected: at most one of them)");
        }
        return new ClientFrame.Subscribe(
                id,
                channel,
                after == null ? null : Cursor.parse(after),
                last == null ? -1 : (int) last.integer("last", 0, Integer.MAX_VALUE),
                optionalName(m, "durable"));
    }

    private static ClientFrame.Publish publish(@Nullable String id, Map<String, JsonValue> m) {
        ChannelName channel = channel(m);
        JsonValue data = m.get("data");
        if (data == null) {
            throw missing("data", "a JSON value");
        }
        return new ClientFrame.Publish(id, channel, data.raw(), optionalName(m, "event"), optionalName(m, "type"));
    }

    private static @Nullable String id(Map<String, JsonValue> m) {
        JsonValue v = present(m, "id");
        if (v == null) {
            return null;
        }
        String raw = v.rawText();
        boolean ok = v.kind() == JsonValue.Kind.STRING || v.kind() == JsonValue.Kind.NUMBER;
        if (!ok || raw.length() > MAX_ID_LENGTH) {
            throw v.wrong("id", "a string or number of at most " + MAX_ID_LENGTH + " characters");
        }
        return raw;
    }

    private static ChannelName channel(Map<String, JsonValue> m) {
        return new ChannelName(required(m, "channel", Integer.MAX_VALUE));
    }

    private static String required(Map<String, JsonValue> m, String name, int maxLength) {
        String value = optional(m, name, maxLength);
        if (value == null) {
            throw missing(name, "a string");
        }
        return value;
    }

    private static @Nullable String optional(Map<String, JsonValue> m, String name, int maxLength) {
        JsonValue v = present(m, name);
        if (v == null) {
            return null;
        }
        String value = v.string(name);
        if ((value.isEmpty() && maxLength != Integer.MAX_VALUE) || value.length() > maxLength) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    name + ": " + value.length() + " characters (expected: 1 to " + maxLength + ")");
        }
        return value;
    }

    private static String requiredName(Map<String, JsonValue> m, String name) {
        String value = optionalName(m, name);
        if (value == null) {
            throw missing(name, "a string");
        }
        return value;
    }

    /** A text that becomes a header of the record: what {@link FanoutRecord} would ignore there is refused here. */
    private static @Nullable String optionalName(Map<String, JsonValue> m, String name) {
        String value = optional(m, name, FanoutRecord.MAX_NAME_BYTES);
        if (value == null) {
            return null;
        }
        byte[] utf8 = value.getBytes(StandardCharsets.UTF_8);
        boolean unchanged = new String(utf8, StandardCharsets.UTF_8).equals(value); // not so with half a surrogate pair
        if (!unchanged || !FanoutRecord.isName(utf8)) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    name + ": too long or with characters that are not allowed (expected: 1 to "
                            + FanoutRecord.MAX_NAME_BYTES + " bytes of UTF-8 without control characters)");
        }
        return value;
    }

    /** A member that is there and not {@code null}. */
    private static @Nullable JsonValue present(Map<String, JsonValue> m, String name) {
        JsonValue v = m.get(name);
        return v == null || v.kind() == JsonValue.Kind.NULL ? null : v;
    }

    private static ProtocolException missing(String name, String expected) {
        return new ProtocolException(ErrorCode.BAD_REQUEST, name + ": missing (expected: " + expected + ")");
    }
}

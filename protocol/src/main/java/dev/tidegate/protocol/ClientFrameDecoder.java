package dev.tidegate.protocol;

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
            JsonObject o = JsonObject.of(root);
            id = id(o);
            JsonValue c = o.given("channel");
            channel = c != null && c.kind() == JsonValue.Kind.STRING ? shown(c.string("channel")) : null;
            return new Decoded.Frame(frame(id, o));
        } catch (ProtocolException e) {
            return new Decoded.Invalid(id, channel, e);
        }
    }

    private static String shown(String channel) {
        return channel.length() <= ChannelName.MAX_BYTES ? channel : channel.substring(0, ChannelName.MAX_BYTES);
    }

    private static ClientFrame frame(@Nullable String id, JsonObject o) {
        String op = bounded(o, "op", 32);
        return switch (op) {
            case "connect" -> new ClientFrame.Connect(id, bounded(o, "token", MAX_TOKEN_LENGTH));
            case "subscribe" -> subscribe(id, o);
            case "unsubscribe" -> new ClientFrame.Unsubscribe(id, o.channel());
            case "publish" -> publish(id, o);
            case "ack" ->
                new ClientFrame.Ack(
                        id, o.channel(), o.cursor("cursor"), FanoutRecord.checkName("durable", o.text("durable")));
            case "presence" -> new ClientFrame.Presence(id, o.channel());
            case "ping" -> new ClientFrame.Ping(id);
            default ->
                throw new ProtocolException(
                        ErrorCode.BAD_REQUEST,
                        "op: '" + op + "' (expected: connect, subscribe, unsubscribe, publish, ack, presence or ping)");
        };
    }

    private static ClientFrame.Subscribe subscribe(@Nullable String id, JsonObject o) {
        ChannelName channel = o.channel();
        String after = o.textIfGiven("after");
        JsonValue last = o.given("last");
        if (after != null && last != null) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "after, last: both given (expected: at most one of them)");
        }
        return new ClientFrame.Subscribe(
                id,
                channel,
                after == null ? null : Cursor.parse(after),
                last == null ? -1 : (int) last.integer("last", 0, Integer.MAX_VALUE),
                nameIfGiven(o, "durable"));
    }

    private static ClientFrame.Publish publish(@Nullable String id, JsonObject o) {
        ChannelName channel = o.channel();
        return new ClientFrame.Publish(
                id, channel, o.payload("data").raw(), nameIfGiven(o, "event"), nameIfGiven(o, "type"));
    }

    private static @Nullable String id(JsonObject o) {
        JsonValue v = o.given("id");
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

    private static String bounded(JsonObject o, String name, int maxLength) {
        String value = o.text(name);
        if (value.isEmpty() || value.length() > maxLength) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    name + ": " + value.length() + " characters (expected: 1 to " + maxLength + ")");
        }
        return value;
    }

    /** A text that becomes a header of the record: what {@link FanoutRecord} would ignore there is refused here. */
    private static @Nullable String nameIfGiven(JsonObject o, String name) {
        String value = o.textIfGiven(name);
        return value == null ? null : FanoutRecord.checkName(name, value);
    }
}

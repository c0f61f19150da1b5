package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.JsonValue;
import dev.tidegate.protocol.ProtocolException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads the body of {@code POST /v1/events}. An array that is not JSON is refused whole, since nobody can say where its
 * next item begins; of NDJSON, a broken line is a bad item. Payloads are cut out as the bytes they came in. Stateless.
 */
final class BatchReader {
    private static final String ITEM = "an object with channel or channels, and data";

    private final int maxItems;
    private final int maxChannels;
    private final int maxPayloadBytes;

    BatchReader(int maxItems, int maxChannels, int maxPayloadBytes) {
        this.maxItems = maxItems;
        this.maxChannels = maxChannels;
        this.maxPayloadBytes = maxPayloadBytes;
    }

    /** @throws ProtocolException {@code bad_request} or {@code too_large} if the body as a whole is wrong */
    List<BatchItem> array(byte[] body) {
        JsonValue document;
        try {
            document = JsonValue.parse(body, 0, body.length);
        } catch (ProtocolException e) {
            throw new ProtocolException(e.code(), "body: " + e.text());
        }
        if (document.kind() != JsonValue.Kind.ARRAY) {
            throw document.wrong("body", "a JSON array of items");
        }
        List<JsonValue> elements = document.elements(maxItems + 1);
        if (elements.size() > maxItems) {
            throw tooMany();
        }
        List<BatchItem> items = new ArrayList<>(elements.size());
        for (JsonValue element : elements) {
            items.add(item(element));
        }
        return items;
    }

    /** One item a line; blank lines are no items. @throws ProtocolException {@code too_large} if there are too many */
    List<BatchItem> lines(byte[] body) {
        List<BatchItem> items = new ArrayList<>();
        int from = 0;
        while (from < body.length) {
            int end = from;
            while (end < body.length && body[end] != '\n') {
                end++;
            }
            if (!isBlank(body, from, end)) {
                if (items.size() == maxItems) {
                    throw tooMany();
                }
                items.add(line(body, from, end));
            }
            from = end + 1;
        }
        return items;
    }

    private BatchItem line(byte[] body, int from, int end) {
        try {
            return item(JsonValue.parse(body, from, end));
        } catch (ProtocolException e) {
            return new BatchItem.Bad(Problem.of(e.code(), "item: " + e.text()));
        }
    }

    private BatchItem item(JsonValue item) {
        try {
            return read(item);
        } catch (ProtocolException e) {
            return new BatchItem.Bad(Problem.of(e));
        }
    }

    private BatchItem read(JsonValue item) {
        if (item.kind() != JsonValue.Kind.OBJECT) {
            throw item.wrong("item", ITEM);
        }
        JsonValue channel = null;
        JsonValue channels = null;
        JsonValue data = null;
        String id = null;
        String type = null;
        for (JsonValue.Member m : item.members()) {
            switch (m.name()) {
                case "channel" -> channel = m.value();
                case "channels" -> channels = m.value();
                case "data" -> data = m.value();
                case "id" -> id = FanoutRecord.checkName("id", m.value().string("id"));
                case "type" -> type = FanoutRecord.checkName("type", m.value().string("type"));
                default -> {
                    // Unknown fields are ignored, so that publishers may be newer than we are.
                }
            }
        }
        List<ChannelName> where = channels(channel, channels);
        if (data == null) {
            throw EventFields.bad("data: missing (expected: any JSON value)");
        }
        byte[] payload = data.raw();
        if (payload.length > maxPayloadBytes) {
            throw new ProtocolException(
                    ErrorCode.TOO_LARGE,
                    "data: " + payload.length + " bytes (expected: at most " + maxPayloadBytes + ")");
        }
        return new BatchItem.Good(where, channels != null, payload, id, type);
    }

    private List<ChannelName> channels(@Nullable JsonValue channel, @Nullable JsonValue channels) {
        if (channel != null && channels != null) {
            throw EventFields.bad("channels: given beside channel (expected: one of them)");
        }
        if (channel != null) {
            return List.of(ChannelName.parse(channel.string("channel")));
        }
        if (channels == null) {
            throw EventFields.bad("channel: missing (expected: a channel's name, or channels with several)");
        }
        if (channels.kind() != JsonValue.Kind.ARRAY) {
            throw channels.wrong("channels", "an array of names");
        }
        List<JsonValue> names = channels.elements(maxChannels + 1);
        if (names.isEmpty() || names.size() > maxChannels) {
            throw EventFields.bad(
                    "channels: " + (names.isEmpty() ? "none" : "too many") + " (expected: 1 to " + maxChannels + ")");
        }
        List<ChannelName> where = new ArrayList<>(names.size());
        for (JsonValue name : names) {
            ChannelName parsed = ChannelName.parse(name.string("channels"));
            if (where.contains(parsed)) {
                throw EventFields.bad("channels: '" + parsed + "' is there twice (expected: different ones)");
            }
            where.add(parsed);
        }
        return where;
    }

    private ProtocolException tooMany() {
        return new ProtocolException(
                ErrorCode.TOO_LARGE, "body: more than " + maxItems + " items (expected: at most that)");
    }

    private static boolean isBlank(byte[] b, int from, int to) {
        for (int i = from; i < to; i++) {
            if (b[i] != ' ' && b[i] != '\r' && b[i] != '\t') {
                return false;
            }
        }
        return true;
    }
}

package dev.tidegate.protocol;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The members of one object of the protocol's documents, by name. Of two with one name the last counts; one that is
 * {@code null} counts as missing. What is asked for and is missing or of another kind is {@code bad_request}:
 * {@code name: missing (expected: …)}, {@code name: value (expected: …)}.
 */
final class JsonObject {
    private final Map<String, JsonValue> members = new HashMap<>();

    private JsonObject(JsonValue value) {
        for (JsonValue.Member member : value.members()) {
            members.put(member.name(), member.value());
        }
    }

    /** @throws ProtocolException {@code bad_request} if it is no object */
    static JsonObject of(JsonValue value) {
        return new JsonObject(value);
    }

    /** The document. @throws ProtocolException {@code bad_request} if it is no object */
    static JsonObject parse(byte[] document) {
        return of(JsonValue.parse(document, 0, document.length));
    }

    /**
     * Decodes a document that is an array of objects.
     *
     * @param one what an element is called, for messages
     * @param max most elements
     * @throws ProtocolException {@code bad_request} if it is none, is empty or too long; else what {@code decode} throws, with the
     *     element's index before its text
     */
    static <T> List<T> decodeList(byte[] document, String one, int max, Function<JsonObject, T> decode) {
        JsonValue root = JsonValue.parse(document, 0, document.length);
        if (root.kind() != JsonValue.Kind.ARRAY) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, "body: not an array (expected: a list of " + one + "s)");
        }
        List<JsonValue> elements = root.elements(max + 1);
        if (elements.isEmpty() || elements.size() > max) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    "body: " + (elements.isEmpty() ? "no " : "too many ") + one + "s (expected: 1 to " + max + ")");
        }
        List<T> out = new ArrayList<>(elements.size());
        for (int i = 0; i < elements.size(); i++) {
            try {
                out.add(decode.apply(of(elements.get(i))));
            } catch (ProtocolException e) {
                throw new ProtocolException(e.code(), one + " " + i + ": " + e.text());
            }
        }
        return out;
    }

    /** A member, or null. */
    @Nullable
    JsonValue given(String name) {
        JsonValue v = members.get(name);
        return v == null || v.kind() == JsonValue.Kind.NULL ? null : v;
    }

    /** A member, which must be there. */
    JsonValue need(String name, String expected) {
        JsonValue v = given(name);
        if (v == null) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, name + ": missing (expected: " + expected + ")");
        }
        return v;
    }

    /** A member, which must be there, but may be {@code null} like any payload. */
    JsonValue payload(String name) {
        JsonValue v = members.get(name);
        return v == null ? need(name, "a JSON value") : v;
    }

    String text(String name) {
        return need(name, "a string").string(name);
    }

    @Nullable
    String textIfGiven(String name) {
        JsonValue v = given(name);
        return v == null ? null : v.string(name);
    }

    long integer(String name, long min, long max) {
        return need(name, "an integer from " + min + " to " + max).integer(name, min, max);
    }

    long integerIfGiven(String name, long min, long max, long otherwise) {
        JsonValue v = given(name);
        return v == null ? otherwise : v.integer(name, min, max);
    }

    boolean bool(String name) {
        return need(name, "true or false").bool(name);
    }

    List<JsonValue> elements(String name, int max) {
        return need(name, "an array").elements(max);
    }

    /** @throws ProtocolException also {@code cursor_invalid} */
    Cursor cursor(String name) {
        return Cursor.parse(text(name));
    }

    /** @throws ProtocolException also {@code channel_invalid} */
    ChannelName channel() {
        return new ChannelName(text("channel"));
    }
}

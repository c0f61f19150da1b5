package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A view of one value inside a JSON document that {@link JsonScanner} has accepted. Reading walks the bytes; nothing is
 * parsed that is not asked for, so that a payload inside a frame is passed on as the bytes it came in. Each level
 * that is read walks its bytes once more, so it is for the shallow documents of the protocol.
 */
public final class JsonValue {
    /** What a value is. */
    public enum Kind {
        OBJECT,
        ARRAY,
        STRING,
        NUMBER,
        BOOLEAN,
        NULL
    }

    /** One member of an object. */
    public record Member(String name, JsonValue value) {}

    /** Most bytes of a wrong value that its complaint quotes. */
    private static final int MAX_SHOWN_BYTES = 40;

    private final byte[] b;
    private final int from;
    private final int to;

    private JsonValue(byte[] b, int from, int to) {
        this.b = b;
        this.from = from;
        this.to = to;
    }

    /** The document in this range. @throws ProtocolException {@code bad_request} if it is not one JSON document */
    public static JsonValue parse(byte[] b, int from, int to) {
        int fault = JsonScanner.check(b, from, to);
        if (fault != JsonScanner.VALID) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    "not JSON at byte " + (fault - from) + " (expected: one JSON document in UTF-8)");
        }
        int start = JsonScanner.space(b, from, to);
        return new JsonValue(b, start, skip(b, start, to));
    }

    /** What it is. */
    public Kind kind() {
        return switch (b[from]) {
            case '{' -> Kind.OBJECT;
            case '[' -> Kind.ARRAY;
            case '"' -> Kind.STRING;
            case 't', 'f' -> Kind.BOOLEAN;
            case 'n' -> Kind.NULL;
            default -> Kind.NUMBER;
        };
    }

    /** The value's bytes as they stand in the document. */
    public byte[] raw() {
        return Arrays.copyOfRange(b, from, to);
    }

    /** The value as it stands in the document. */
    public String rawText() {
        return new String(b, from, to - from, StandardCharsets.UTF_8);
    }

    /** Members in document order, of an object. @throws ProtocolException {@code bad_request} if it is none */
    public List<Member> members() {
        if (kind() != Kind.OBJECT) {
            throw wrong("value", "an object");
        }
        List<Member> out = new ArrayList<>();
        int i = JsonScanner.space(b, from + 1, to);
        while (b[i] != '}') {
            int nameEnd = skip(b, i, to);
            String name = unquote(b, i, nameEnd);
            int start = JsonScanner.space(b, JsonScanner.space(b, nameEnd, to) + 1, to);
            int end = skip(b, start, to);
            out.add(new Member(name, new JsonValue(b, start, end)));
            i = JsonScanner.space(b, end, to);
            if (b[i] == ',') {
                i = JsonScanner.space(b, i + 1, to);
            }
        }
        return out;
    }

    /** Elements of an array. @throws ProtocolException {@code bad_request} if it is none */
    public List<JsonValue> elements() {
        return elements(Integer.MAX_VALUE);
    }

    /** The first elements of an array, {@code max} at most: a hostile one holds a million in two megabytes. */
    public List<JsonValue> elements(int max) {
        if (kind() != Kind.ARRAY) {
            throw wrong("value", "an array");
        }
        List<JsonValue> out = new ArrayList<>();
        int i = JsonScanner.space(b, from + 1, to);
        while (b[i] != ']' && out.size() < max) {
            int end = skip(b, i, to);
            out.add(new JsonValue(b, i, end));
            i = JsonScanner.space(b, end, to);
            if (b[i] == ',') {
                i = JsonScanner.space(b, i + 1, to);
            }
        }
        return out;
    }

    /** The text of a string. @throws ProtocolException {@code bad_request} naming {@code field} if it is no string */
    public String string(String field) {
        if (kind() != Kind.STRING) {
            throw wrong(field, "a string");
        }
        return unquote(b, from, to);
    }

    /** An integer. @throws ProtocolException {@code bad_request} naming {@code field} if it is none, or out of range */
    public long integer(String field, long min, long max) {
        String expected = "an integer from " + min + " to " + max;
        if (kind() != Kind.NUMBER || to - from > 20) {
            throw wrong(field, expected);
        }
        try {
            long v = Long.parseLong(rawText());
            if (v < min || v > max) {
                throw wrong(field, expected);
            }
            return v;
        } catch (NumberFormatException e) {
            throw wrong(field, expected);
        }
    }

    /** A boolean. @throws ProtocolException {@code bad_request} naming {@code field} if it is none */
    public boolean bool(String field) {
        if (kind() != Kind.BOOLEAN) {
            throw wrong(field, "true or false");
        }
        return b[from] == 't';
    }

    /** The answer to a value that is not what it should be. */
    public ProtocolException wrong(String field, String expected) {
        int length = Math.min(to - from, MAX_SHOWN_BYTES); // may cut a character in two: it then shows as U+FFFD
        String shown = new String(b, from, length, StandardCharsets.UTF_8) + (length < to - from ? "…" : "");
        return new ProtocolException(ErrorCode.BAD_REQUEST, field + ": " + shown + " (expected: " + expected + ")");
    }

    /** The index after the value at {@code i}; the document is known to be valid. */
    private static int skip(byte[] b, int i, int to) {
        return switch (b[i]) {
            case '"' -> skipString(b, i + 1);
            case '{', '[' -> skipNested(b, i);
            default -> skipScalar(b, i, to);
        };
    }

    private static int skipString(byte[] b, int i) {
        while (b[i] != '"') {
            i += b[i] == '\\' ? 2 : 1;
        }
        return i + 1;
    }

    private static int skipNested(byte[] b, int i) {
        int depth = 0;
        do {
            if (b[i] == '"') {
                i = skipString(b, i + 1);
                continue;
            }
            if (b[i] == '{' || b[i] == '[') {
                depth++;
            } else if (b[i] == '}' || b[i] == ']') {
                depth--;
            }
            i++;
        } while (depth > 0);
        return i;
    }

    private static int skipScalar(byte[] b, int i, int to) {
        while (i < to && "+-.0123456789eEtrufalsn".indexOf(b[i]) >= 0) {
            i++;
        }
        return i;
    }

    private static String unquote(byte[] b, int from, int to) {
        boolean escaped = false;
        for (int i = from + 1; i < to - 1 && !escaped; i++) {
            escaped = b[i] == '\\';
        }
        String inner = new String(b, from + 1, to - from - 2, StandardCharsets.UTF_8);
        if (!escaped) {
            return inner;
        }
        StringBuilder out = new StringBuilder(inner.length());
        for (int i = 0; i < inner.length(); i++) {
            char c = inner.charAt(i);
            if (c != '\\') {
                out.append(c);
                continue;
            }
            c = inner.charAt(++i);
            switch (c) {
                case 'b' -> out.append('\b');
                case 'f' -> out.append('\f');
                case 'n' -> out.append('\n');
                case 'r' -> out.append('\r');
                case 't' -> out.append('\t');
                case 'u' -> {
                    out.append((char) Integer.parseInt(inner, i + 1, i + 5, 16));
                    i += 4;
                }
                default -> out.append(c);
            }
        }
        return out.toString();
    }
}

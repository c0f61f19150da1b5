package dev.tidegate.protocol;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Random JSON documents, random damage to them, and the oracle that says what is a document. */
final class Documents {
    private static final JsonMapper JACKSON = JsonMapper.builder(JsonFactory.builder()
                    .streamReadConstraints(StreamReadConstraints.builder()
                            .maxNestingDepth(JsonScanner.MAX_DEPTH)
                            .maxNumberLength(Integer.MAX_VALUE)
                            .build())
                    .build())
            .build();

    private static final JsonMapper STRICT = JsonMapper.builder(JsonFactory.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build())
            .build();

    private static final Pattern BAD_ESCAPE = Pattern.compile("\\\\u(?![0-9A-Fa-f]{4})");

    private static final String[] TEXTS = {
        "",
        "a",
        "news",
        "hello there, how are you today?",
        "naïve – “quoted”",
        "吾輩は猫である",
        "😀🚀",
        "\\u00e9",
        "\\n\\t\\\\\\\"\\/\\b\\f\\r",
        "\\ud83d\\ude00",
        "\\uD800",
        "line\u2028separator",
        "\u007f",
        "0123456789012345678901234567890123456789"
    };

    private static final String[] SCALARS = {
        "0",
        "-0",
        "1",
        "-1",
        "12",
        "0.5",
        "1e3",
        "1E+3",
        "1e-3",
        "-1.25e10",
        "123456789012345678901234567890",
        "true",
        "false",
        "null"
    };

    private static final String[] SPACES = {"", "", "", " ", "\n", "\t", "\r\n", "  "};

    /** Pieces that damage puts into documents: what scanners trip over. */
    private static final byte[][] PIECES = {
        utf8("{"),
        utf8("}"),
        utf8("["),
        utf8("]"),
        utf8("\""),
        utf8("\\"),
        utf8(","),
        utf8(":"),
        utf8("-"),
        utf8("+"),
        utf8("."),
        utf8("e"),
        utf8("0"),
        utf8("01"),
        utf8("tru"),
        utf8("nul"),
        utf8("NaN"),
        utf8("\\u12"),
        utf8("\\x"),
        utf8("//"),
        utf8("/**/"),
        utf8("'"),
        utf8(" "),
        utf8("\n"),
        utf8("\u00a0"),
        utf8("\ufeff"),
        utf8("é"),
        utf8("猫"),
        utf8("😀"),
        {0},
        {0x1f},
        {0x7f},
        {(byte) 0x80},
        {(byte) 0xbf},
        {(byte) 0xc0, (byte) 0xaf},
        {(byte) 0xc2},
        {(byte) 0xe0, (byte) 0x80, (byte) 0x80},
        {(byte) 0xed, (byte) 0xa0, (byte) 0x80},
        {(byte) 0xf0, (byte) 0x80, (byte) 0x80, (byte) 0x80},
        {(byte) 0xf4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
        {(byte) 0xff}
    };

    private Documents() {}

    static byte[] utf8(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] b) {
        return new String(b, StandardCharsets.UTF_8);
    }

    /** Text if it is valid UTF-8 by the JDK's strict decoder, else null. */
    static @Nullable String strictText(byte[] b) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(b))
                    .toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    /**
     * Whether these bytes are one JSON document: strict UTF-8 by the JDK, grammar by Jackson. Jackson reads text here, not
     * bytes, because its parser of bytes refuses half a surrogate pair in the name of a member, which the grammar allows.
     * Where its parser of text is laxer than RFC 8259, that is taken out beforehand: it skips a byte order mark, and of
     * the four digits after a {@code u} it looks at the low byte only.
     */
    static boolean isJson(byte[] b) {
        String text = strictText(b);
        if (text == null
                || text.startsWith("\ufeff")
                || BAD_ESCAPE.matcher(text.replace("\\\\", "")).find()) {
            return false;
        }
        int roots = 0;
        int depth = 0;
        try (JsonParser p = JACKSON.createParser(text)) {
            for (var t = p.nextToken(); t != null; t = p.nextToken()) {
                if (t.isStructEnd()) {
                    depth--;
                    continue;
                }
                if (depth == 0 && ++roots > 1) {
                    return false;
                }
                if (t.isStructStart()) {
                    depth++;
                }
            }
            return roots == 1;
        } catch (JacksonException e) {
            return false;
        }
    }

    /** Whether an object in this valid document has two members of one name. */
    static boolean repeatsMember(byte[] b) {
        try {
            STRICT.readTree(b);
            return false;
        } catch (JacksonException e) {
            return true;
        }
    }

    /** The document as a tree; fails if it is none. */
    static JsonNode tree(byte[] b) {
        return JACKSON.readTree(text(b));
    }

    /** A random valid document. */
    static String document(Random random) {
        StringBuilder s = new StringBuilder();
        value(random, s, 0);
        return s.toString();
    }

    /** A random valid document, damaged up to three times (so it may or may not be one still). */
    static byte[] damagedDocument(Random random) {
        return damaged(random, utf8(document(random)), random.nextInt(4));
    }

    static byte[] damaged(Random random, byte[] b, int times) {
        byte[] out = b;
        for (int i = 0; i < times; i++) {
            out = damagedOnce(random, out);
        }
        return out;
    }

    private static byte[] damagedOnce(Random random, byte[] b) {
        int at = random.nextInt(b.length + 1);
        int cut = Math.min(b.length, at + random.nextInt(4));
        byte[] piece = switch (random.nextInt(5)) {
            case 0 -> new byte[0];
            case 1 -> new byte[] {(byte) random.nextInt(256)};
            case 2 -> {
                int from = random.nextInt(b.length + 1);
                yield java.util.Arrays.copyOfRange(b, from, from + random.nextInt(b.length - from + 1));
            }
            default -> PIECES[random.nextInt(PIECES.length)];
        };
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(b, 0, at);
        out.writeBytes(piece);
        int from = random.nextBoolean() ? at : cut;
        out.write(b, from, b.length - from);
        return out.toByteArray();
    }

    private static void value(Random random, StringBuilder s, int depth) {
        space(random, s);
        int kind = random.nextInt(depth > 4 ? 2 : 4);
        switch (kind) {
            case 0 -> s.append(SCALARS[random.nextInt(SCALARS.length)]);
            case 1 -> string(random, s);
            default -> nested(random, s, depth, kind == 2);
        }
        space(random, s);
    }

    private static void nested(Random random, StringBuilder s, int depth, boolean object) {
        s.append(object ? '{' : '[');
        int n = random.nextInt(5);
        space(random, s);
        for (int i = 0; i < n; i++) {
            if (i > 0) {
                s.append(',');
            }
            if (object) {
                space(random, s);
                string(random, s);
                space(random, s);
                s.append(':');
            }
            value(random, s, depth + 1);
        }
        s.append(object ? '}' : ']');
    }

    private static void string(Random random, StringBuilder s) {
        s.append('"');
        for (int i = random.nextInt(3); i >= 0; i--) {
            s.append(TEXTS[random.nextInt(TEXTS.length)]);
        }
        s.append('"');
    }

    private static void space(Random random, StringBuilder s) {
        s.append(SPACES[random.nextInt(SPACES.length)]);
    }
}

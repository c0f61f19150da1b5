package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;

/**
 * A channel's name: {@code [namespace:]name}, 1 to 255 bytes of {@code A-Z a-z 0-9 _ - . : / @ # = ~ + ,}. The namespace
 * is what stands before the first {@code :}; a name without one is in namespace {@code default}.
 *
 * @param value the whole name, as it is on the wire and as the key of a fan-out record
 */
public record ChannelName(String value) {
    /** Longest name in bytes. */
    public static final int MAX_BYTES = 255;

    /** The namespace of names without a {@code :}. */
    public static final String DEFAULT_NAMESPACE = "default";

    private static final boolean[] ALLOWED = new boolean[128];

    static {
        for (char c = 'A'; c <= 'Z'; c++) {
            ALLOWED[c] = true;
        }
        for (char c = 'a'; c <= 'z'; c++) {
            ALLOWED[c] = true;
        }
        for (char c = '0'; c <= '9'; c++) {
            ALLOWED[c] = true;
        }
        for (char c : "_-.:/@#=~+,".toCharArray()) {
            ALLOWED[c] = true;
        }
    }

    /** @throws ProtocolException {@code channel_invalid} if {@code value} is not a channel name */
    public ChannelName {
        int length = value.length();
        if (length == 0 || length > MAX_BYTES) {
            throw new ProtocolException(
                    ErrorCode.CHANNEL_INVALID,
                    "channel: " + (length == 0 ? "empty" : "longer than " + MAX_BYTES + " bytes")
                            + " (expected: 1 to 255 bytes)");
        }
        for (int i = 0; i < length; i++) {
            char c = value.charAt(i);
            if (c >= 128 || !ALLOWED[c]) {
                throw new ProtocolException(
                        ErrorCode.CHANNEL_INVALID,
                        "channel: character " + printable(c) + " at index " + i
                                + " is not allowed (expected: A-Z a-z 0-9 _ - . : / @ # = ~ + ,)");
            }
        }
        if (value.charAt(0) == ':') {
            throw new ProtocolException(
                    ErrorCode.CHANNEL_INVALID,
                    "channel: empty namespace before ':' (expected: namespace:name or name)");
        }
        if (value.indexOf(':') == length - 1) {
            throw new ProtocolException(
                    ErrorCode.CHANNEL_INVALID, "channel: empty name after ':' (expected: namespace:name or name)");
        }
    }

    /** Parses a name. @throws ProtocolException {@code channel_invalid} */
    public static ChannelName parse(String value) {
        return new ChannelName(value);
    }

    /**
     * Parses a name as it stands in one segment of a URL's path, percent-encoded where need be ({@code +} stays). Names are ASCII, so a
     * byte is a character.
     *
     * @throws ProtocolException {@code channel_invalid}
     */
    public static ChannelName ofPathSegment(String raw) {
        if (raw.indexOf('%') < 0) {
            return new ChannelName(raw);
        }
        StringBuilder out = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
            int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
            if (high < 0 || low < 0) {
                throw new ProtocolException(
                        ErrorCode.CHANNEL_INVALID,
                        "channel: '%' at index " + i + " is not followed by two hexadecimal digits");
            }
            out.append((char) (high << 4 | low));
            i += 2;
        }
        return new ChannelName(out.toString());
    }

    /** Whether these bytes are a channel name; allocates nothing. The rule of the constructor, on bytes. */
    public static boolean isValid(byte[] bytes) {
        int length = bytes.length;
        if (length == 0 || length > MAX_BYTES || bytes[0] == ':') {
            return false;
        }
        int firstColon = -1;
        for (int i = 0; i < length; i++) {
            byte b = bytes[i];
            if (b < 0 || !ALLOWED[b]) {
                return false;
            }
            if (b == ':' && firstColon < 0) {
                firstColon = i;
            }
        }
        return firstColon != length - 1;
    }

    /** What stands before the first {@code :}, or {@link #DEFAULT_NAMESPACE}. */
    public String namespace() {
        int colon = value.indexOf(':');
        return colon < 0 ? DEFAULT_NAMESPACE : value.substring(0, colon);
    }

    /** The name without its namespace. */
    public String localName() {
        return value.substring(value.indexOf(':') + 1);
    }

    /** The name's bytes, as the key of a fan-out record. */
    public byte[] bytes() {
        return value.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public String toString() {
        return value;
    }

    private static String printable(char c) {
        return c > 32 && c < 127 ? "'" + c + "'" : String.format("U+%04X", (int) c);
    }
}

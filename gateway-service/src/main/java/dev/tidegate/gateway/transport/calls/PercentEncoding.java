package dev.tidegate.gateway.transport.calls;

import java.nio.charset.StandardCharsets;

/** Percent-encoding of UTF-8 for path segments (RFC 3986) and for header values (CloudEvents' HTTP binding, 3.1.3.2). */
final class PercentEncoding {
    private static final byte[] HEX = "0123456789ABCDEF".getBytes(StandardCharsets.US_ASCII);

    private PercentEncoding() {}

    /** Everything but RFC 3986's unreserved characters is encoded. */
    static String segment(String text) {
        return encode(text, true);
    }

    /** Everything but printable ASCII is encoded, and so are {@code "} and {@code %}. */
    static String header(String text) {
        return encode(text, false);
    }

    private static String encode(String text, boolean segment) {
        StringBuilder out = null;
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < utf8.length; i++) {
            byte b = utf8[i];
            if (segment ? unreserved(b) : b > 0x20 && b < 0x7f && b != '"' && b != '%') {
                if (out != null) {
                    out.append((char) b);
                }
                continue;
            }
            if (out == null) {
                out = new StringBuilder(utf8.length + 16).append(text, 0, i); // all before it was ASCII
            }
            out.append('%').append((char) HEX[(b >> 4) & 15]).append((char) HEX[b & 15]);
        }
        return out == null ? text : out.toString();
    }

    private static boolean unreserved(byte b) {
        return (b >= 'a' && b <= 'z')
                || (b >= 'A' && b <= 'Z')
                || (b >= '0' && b <= '9')
                || b == '-'
                || b == '.'
                || b == '_'
                || b == '~';
    }
}

package dev.tidegate.protocol;

/** Strict UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF), checked without allocating. */
public final class Utf8 {
    private Utf8() {}

    /** Whether this range is valid UTF-8. */
    public static boolean isValid(byte[] b, int from, int to) {
        int i = ByteRuns.ascii(b, from, to);
        while (i < to) {
            int n = sequence(b, i, to);
            if (n == 0) {
                return false;
            }
            i += n;
            if (i < to && b[i] >= 0) {
                i = ByteRuns.ascii(b, i, to);
            }
        }
        return true;
    }

    /** Length of the multi-byte sequence that starts at {@code i}, or 0 if it is not a valid one. */
    static int sequence(byte[] b, int i, int to) {
        int lead = b[i] & 0xff;
        if (lead >= 0xc2 && lead <= 0xdf) {
            return i + 1 < to && continuation(b[i + 1]) ? 2 : 0;
        }
        if (lead >= 0xe0 && lead <= 0xef) {
            if (i + 2 >= to || !continuation(b[i + 1]) || !continuation(b[i + 2])) {
                return 0;
            }
            int second = b[i + 1] & 0xff;
            boolean overlong = lead == 0xe0 && second < 0xa0;
            boolean surrogate = lead == 0xed && second >= 0xa0;
            return overlong || surrogate ? 0 : 3;
        }
        if (lead >= 0xf0 && lead <= 0xf4) {
            if (i + 3 >= to || !continuation(b[i + 1]) || !continuation(b[i + 2]) || !continuation(b[i + 3])) {
                return 0;
            }
            int second = b[i + 1] & 0xff;
            boolean overlong = lead == 0xf0 && second < 0x90;
            boolean tooHigh = lead == 0xf4 && second >= 0x90;
            return overlong || tooHigh ? 0 : 4;
        }
        return 0;
    }

    private static boolean continuation(byte b) {
        return (b & 0xc0) == 0x80;
    }
}

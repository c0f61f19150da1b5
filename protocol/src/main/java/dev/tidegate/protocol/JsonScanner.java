package dev.tidegate.protocol;

/**
 * Checks that bytes are one JSON document (RFC 8259) in valid UTF-8, without building or allocating anything: every
 * event a gateway delivers passes here once, since producers may write the fan-out topic directly and one broken payload
 * would break the frame around it. Held against Jackson by the tests.
 */
public final class JsonScanner {
    /** Deepest nesting of arrays and objects that is accepted. */
    public static final int MAX_DEPTH = 128;

    /** Returned for a valid document. */
    public static final int VALID = -1;

    private static final byte[] TRUE = {'t', 'r', 'u', 'e'};
    private static final byte[] FALSE = {'f', 'a', 'l', 's', 'e'};
    private static final byte[] NULL = {'n', 'u', 'l', 'l'};

    private JsonScanner() {}

    /** {@link #VALID}, or the index of the first byte (or {@code to}, if it ends early) at which it is not JSON. */
    public static int check(byte[] b, int from, int to) {
        int i = value(b, space(b, from, to), to, 0);
        if (i < 0) {
            return ~i;
        }
        i = space(b, i, to);
        return i == to ? VALID : i;
    }

    /** Whether the whole array is one JSON document. */
    public static boolean isValid(byte[] b) {
        return check(b, 0, b.length) == VALID;
    }

    static int space(byte[] b, int i, int to) {
        while (i < to && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t')) {
            i++;
        }
        return i;
    }

    /** The index after the value that starts at {@code i}, or the complement of the index of the fault. */
    private static int value(byte[] b, int i, int to, int depth) {
        if (i >= to) {
            return ~to;
        }
        return switch (b[i]) {
            case '{' -> depth == MAX_DEPTH ? ~i : object(b, i + 1, to, depth + 1);
            case '[' -> depth == MAX_DEPTH ? ~i : array(b, i + 1, to, depth + 1);
            case '"' -> string(b, i + 1, to);
            case 't' -> literal(b, i, to, TRUE);
            case 'f' -> literal(b, i, to, FALSE);
            case 'n' -> literal(b, i, to, NULL);
            default -> number(b, i, to);
        };
    }

    private static int object(byte[] b, int i, int to, int depth) {
        i = space(b, i, to);
        if (i < to && b[i] == '}') {
            return i + 1;
        }
        while (true) {
            if (i >= to || b[i] != '"') {
                return ~Math.min(i, to);
            }
            i = string(b, i + 1, to);
            if (i < 0) {
                return i;
            }
            i = space(b, i, to);
            if (i >= to || b[i] != ':') {
                return ~i;
            }
            i = value(b, space(b, i + 1, to), to, depth);
            if (i < 0) {
                return i;
            }
            i = space(b, i, to);
            if (i >= to) {
                return ~to;
            }
            if (b[i] == '}') {
                return i + 1;
            }
            if (b[i] != ',') {
                return ~i;
            }
            i = space(b, i + 1, to);
        }
    }

    private static int array(byte[] b, int i, int to, int depth) {
        i = space(b, i, to);
        if (i < to && b[i] == ']') {
            return i + 1;
        }
        while (true) {
            i = value(b, i, to, depth);
            if (i < 0) {
                return i;
            }
            i = space(b, i, to);
            if (i >= to) {
                return ~to;
            }
            if (b[i] == ']') {
                return i + 1;
            }
            if (b[i] != ',') {
                return ~i;
            }
            i = space(b, i + 1, to);
        }
    }

    private static int literal(byte[] b, int i, int to, byte[] word) {
        for (int k = 0; k < word.length; k++) {
            if (i + k >= to || b[i + k] != word[k]) {
                return ~(i + k);
            }
        }
        return i + word.length;
    }

    private static int number(byte[] b, int i, int to) {
        if (b[i] == '-') {
            i++;
        }
        if (i >= to || !digit(b[i])) {
            return ~i;
        }
        i = b[i] == '0' ? i + 1 : digits(b, i, to);
        if (i < to && b[i] == '.') {
            int after = digits(b, i + 1, to);
            if (after == i + 1) {
                return ~after;
            }
            i = after;
        }
        if (i < to && (b[i] == 'e' || b[i] == 'E')) {
            i++;
            if (i < to && (b[i] == '+' || b[i] == '-')) {
                i++;
            }
            int after = digits(b, i, to);
            if (after == i) {
                return ~after;
            }
            i = after;
        }
        return i;
    }

    private static int digits(byte[] b, int i, int to) {
        while (i < to && digit(b[i])) {
            i++;
        }
        return i;
    }

    private static boolean digit(byte c) {
        return c >= '0' && c <= '9';
    }

    /** From behind the opening quote to behind the closing one. */
    private static int string(byte[] b, int i, int to) {
        while (true) {
            i = ByteRuns.plain(b, i, to);
            if (i >= to) {
                return ~to;
            }
            byte c = b[i];
            if (c == '"') {
                return i + 1;
            }
            if (c == '\\') {
                i = escape(b, i + 1, to);
                if (i < 0) {
                    return i;
                }
            } else if (c >= 0) {
                return ~i; // a raw control character
            } else {
                do { // text that is not ASCII seldom comes as a single character
                    int n = Utf8.sequence(b, i, to);
                    if (n == 0) {
                        return ~i;
                    }
                    i += n;
                } while (i < to && b[i] < 0);
            }
        }
    }

    private static int escape(byte[] b, int i, int to) {
        if (i >= to) {
            return ~to;
        }
        return switch (b[i]) {
            case '"', '\\', '/', 'b', 'f', 'n', 'r', 't' -> i + 1;
            case 'u' -> fourHexDigits(b, i + 1, to);
            default -> ~i;
        };
    }

    private static int fourHexDigits(byte[] b, int i, int to) {
        for (int end = i + 4; i < end; i++) {
            if (i >= to || Character.digit(b[i], 16) < 0) {
                return ~Math.min(i, to);
            }
        }
        return i;
    }
}

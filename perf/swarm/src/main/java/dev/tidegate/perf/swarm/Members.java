package dev.tidegate.perf.swarm;

/**
 * Walks over the members of one JSON object in an array of bytes, without copying or allocating. It checks only as much
 * as it needs to find where a value ends: enough for a client that shares its processor with the server it measures.
 * Reused for frame after frame.
 */
final class Members {
    private byte[] b = new byte[0];
    private int at;
    private int end;
    private boolean malformed;
    private boolean first;

    /** Range of the member's name, without quotes. */
    int nameFrom;

    int nameTo;

    /** Range of the member's value; a string's without its quotes. */
    int from;

    int to;

    /** Whether the value is a string. */
    boolean isString;

    /** Starts on the object that fills this range. */
    Members of(byte[] bytes, int objectFrom, int objectTo) {
        b = bytes;
        end = objectTo;
        at = objectFrom;
        first = true;
        space();
        malformed = !take('{');
        return this;
    }

    /** Whether the last {@link #next} ended for another reason than the object's end. */
    boolean malformed() {
        return malformed;
    }

    /** Goes to the next member; false at the end, or where this is no JSON object. */
    boolean next() {
        if (malformed) {
            return false;
        }
        space();
        if (at < end && b[at] == '}') {
            at++;
            space();
            malformed = at != end;
            return false;
        }
        boolean separated = first || take(',');
        if (!separated) {
            return fault();
        }
        first = false;
        space();
        if (at >= end || b[at] != '"') {
            return fault();
        }
        nameFrom = at + 1;
        int closing = closingQuote(at + 1);
        if (closing < 0) {
            return fault();
        }
        nameTo = closing;
        at = closing + 1;
        space();
        if (!take(':')) {
            return fault();
        }
        space();
        return value() ? true : fault();
    }

    /** Whether the member's name is this. */
    boolean is(byte[] name) {
        return equal(b, nameFrom, nameTo, name);
    }

    /** Whether the value is this text. */
    boolean valueIs(byte[] text) {
        return equal(b, from, to, text);
    }

    static boolean equal(byte[] b, int from, int to, byte[] text) {
        if (to - from != text.length) {
            return false;
        }
        for (int i = 0; i < text.length; i++) {
            if (b[from + i] != text[i]) {
                return false;
            }
        }
        return true;
    }

    private boolean fault() {
        malformed = true;
        return false;
    }

    private boolean take(char c) {
        if (at < end && b[at] == c) {
            at++;
            return true;
        }
        return false;
    }

    private void space() {
        while (at < end && (b[at] == ' ' || b[at] == '\n' || b[at] == '\r' || b[at] == '\t')) {
            at++;
        }
    }

    private boolean value() {
        if (at >= end) {
            return false;
        }
        isString = b[at] == '"';
        if (isString) {
            int closing = closingQuote(at + 1);
            if (closing < 0) {
                return false;
            }
            from = at + 1;
            to = closing;
            at = closing + 1;
            return true;
        }
        from = at;
        boolean found = (b[at] == '{' || b[at] == '[') ? skipNested() : skipLiteral();
        to = at;
        return found;
    }

    private int closingQuote(int i) {
        while (i < end) {
            byte c = b[i];
            if (c == '"') {
                return i;
            }
            i += c == '\\' ? 2 : 1;
        }
        return -1;
    }

    private boolean skipNested() {
        int depth = 0;
        while (at < end) {
            byte c = b[at];
            if (c == '"') {
                int closing = closingQuote(at + 1);
                if (closing < 0) {
                    return false;
                }
                at = closing;
            } else if (c == '{' || c == '[') {
                depth++;
            } else if (c == '}' || c == ']') {
                depth--;
                if (depth == 0) {
                    at++;
                    return true;
                }
            }
            at++;
        }
        return false;
    }

    private boolean skipLiteral() {
        int start = at;
        while (at < end && b[at] != ',' && b[at] != '}' && b[at] > ' ') {
            at++;
        }
        return at > start;
    }
}

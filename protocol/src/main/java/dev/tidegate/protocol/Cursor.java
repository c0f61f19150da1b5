package dev.tidegate.protocol;

/**
 * A place in the fan-out log: {@code <epoch>.<partition>.<offset>}, opaque to clients, URL-safe, at most 64 characters.
 * As a client's position it means: this client has everything of the channel up to and including this offset. It is a
 * value of its own, never a bare offset, because an offset compared across partitions or across topics silently skips
 * or repeats events.
 *
 * @param epoch which topic, see {@link Epoch}
 * @param partition the partition, 0 or more
 * @param offset the offset of the last record that is covered; -1 stands before the first record
 */
public record Cursor(String epoch, int partition, long offset) {
    /** Longest cursor in characters. */
    public static final int MAX_LENGTH = 64;

    /** Offset of the cursor that stands before the first record of a partition. */
    public static final long BEFORE_FIRST = -1;

    public Cursor {
        if (!Epoch.isValid(epoch, 0, epoch.length())) {
            throw invalid(epoch);
        }
        if (partition < 0 || offset < BEFORE_FIRST) {
            throw invalid(epoch + "." + partition + "." + offset);
        }
    }

    /** Parses the wire form. @throws ProtocolException {@code cursor_invalid} */
    public static Cursor parse(String text) {
        if (text.length() > MAX_LENGTH) {
            throw invalid(text.substring(0, MAX_LENGTH) + "…");
        }
        int first = text.indexOf('.');
        int second = text.indexOf('.', first + 1);
        if (first < 1 || second < 0 || !Epoch.isValid(text, 0, first)) {
            throw invalid(text);
        }
        long partition = number(text, first + 1, second);
        long offset = offset(text, second + 1, text.length());
        if (partition < 0 || partition > Integer.MAX_VALUE || offset < BEFORE_FIRST) {
            throw invalid(text);
        }
        return new Cursor(text.substring(0, first), (int) partition, offset);
    }

    /** Whether both are of the same partition of the same topic, and so can be compared by offset. */
    public boolean comparableTo(Cursor other) {
        return partition == other.partition && epoch.equals(other.epoch);
    }

    /** The cursor of another offset of the same partition. */
    public Cursor at(long newOffset) {
        return new Cursor(epoch, partition, newOffset);
    }

    @Override
    public String toString() {
        return epoch + "." + partition + "." + offset;
    }

    /** The offset in this range: {@link #BEFORE_FIRST} or more; something less if it is none. */
    static long offset(String s, int from, int to) {
        if (to - from == 2 && s.charAt(from) == '-' && s.charAt(from + 1) == '1') {
            return BEFORE_FIRST;
        }
        long offset = number(s, from, to);
        return offset < 0 ? BEFORE_FIRST - 1 : offset;
    }

    /** Digits only, without leading zeros and without overflow: each position has exactly one spelling. -1 if not so. */
    private static long number(String s, int from, int to) {
        int digits = to - from;
        if (digits < 1 || digits > 19 || (digits > 1 && s.charAt(from) == '0')) {
            return -1;
        }
        long value = 0;
        for (int i = from; i < to; i++) {
            int d = s.charAt(i) - '0';
            if (d < 0 || d > 9) {
                return -1;
            }
            if (value > (Long.MAX_VALUE - d) / 10) {
                return -1;
            }
            value = value * 10 + d;
        }
        return value;
    }

    private static ProtocolException invalid(String text) {
        return new ProtocolException(
                ErrorCode.CURSOR_INVALID,
                "cursor: '" + text + "' (expected: <epoch>.<partition>.<offset> as received)");
    }
}

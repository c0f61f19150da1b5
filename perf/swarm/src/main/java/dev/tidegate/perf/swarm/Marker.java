package dev.tidegate.perf.swarm;

import java.nio.charset.StandardCharsets;

/**
 * The payload of every published event: a JSON string {@code "@@<sequence>:<nanoseconds>@@xxx…"}, padded to a given
 * size. The sequence counts the events of one channel from 0, the nanoseconds are wall-clock time. Also the reader of such
 * payloads, reused.
 */
final class Marker {
    /** Smallest size in bytes, quotes included: two numbers of up to 10 and 19 digits and what is around them. */
    static final int MIN_SIZE = 36;

    int sequence;
    long nanos;

    /** The payload of an event, of exactly {@code size} bytes (at least {@link #MIN_SIZE}). */
    static byte[] payload(int sequence, long nanos, int size) {
        byte[] head = ("\"@@" + sequence + ":" + nanos + "@@").getBytes(StandardCharsets.US_ASCII);
        byte[] out = new byte[size];
        System.arraycopy(head, 0, out, 0, head.length);
        java.util.Arrays.fill(out, head.length, size - 1, (byte) 'x');
        out[size - 1] = '"';
        return out;
    }

    /** Reads the text of a payload (without its quotes); false if it is no marker. */
    boolean read(byte[] b, int from, int to) {
        if (to - from < 7 || b[from] != '@' || b[from + 1] != '@') {
            return false;
        }
        int i = from + 2;
        long s = 0;
        int digits = 0;
        for (; i < to && b[i] >= '0' && b[i] <= '9' && digits < 10; i++, digits++) {
            s = s * 10 + (b[i] - '0');
        }
        if (digits == 0 || s > Integer.MAX_VALUE || i >= to || b[i] != ':') {
            return false;
        }
        long n = 0;
        digits = 0;
        for (i++; i < to && b[i] >= '0' && b[i] <= '9' && digits < 19; i++, digits++) {
            n = n * 10 + (b[i] - '0');
        }
        if (digits == 0 || i + 1 >= to || b[i] != '@' || b[i + 1] != '@') {
            return false;
        }
        sequence = (int) s;
        nanos = n;
        return true;
    }
}

package dev.tidegate.protocol;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Finds where a run of harmless bytes ends, eight bytes at a time. Every payload is looked at by one of these, so they
 * decide what an event costs before it is sent to anyone; the bit tricks are those of "Bit Twiddling Hacks"
 * (haszero, hasless), exact up to and including the first hit when the bytes are read in little-endian order.
 */
final class ByteRuns {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final long ONES = 0x0101_0101_0101_0101L;
    private static final long HIGH = ONES << 7;
    private static final long SPACES = ONES * ' ';
    private static final long QUOTES = ONES * '"';
    private static final long BACKSLASHES = ONES * '\\';
    private static final long NEWLINES = ONES * '\n';
    private static final long RETURNS = ONES * '\r';

    private ByteRuns() {}

    /** The index of the first byte that is a control character, a quote, a backslash or not ASCII; {@code to} if none. */
    static int plain(byte[] b, int i, int to) {
        for (; i <= to - Long.BYTES; i += Long.BYTES) {
            long w = (long) LONG.get(b, i);
            long hits = (w | (w - SPACES) | ((w ^ QUOTES) - ONES) | ((w ^ BACKSLASHES) - ONES)) & HIGH;
            if (hits != 0) {
                return i + (Long.numberOfTrailingZeros(hits) >>> 3);
            }
        }
        while (i < to && b[i] >= ' ' && b[i] != '"' && b[i] != '\\') {
            i++;
        }
        return i;
    }

    /** The index of the first byte that a JSON string must escape (control, quote, backslash); {@code to} if none. */
    static int unescaped(byte[] b, int i, int to) {
        for (; i <= to - Long.BYTES; i += Long.BYTES) {
            long w = (long) LONG.get(b, i);
            long hits = (((w - SPACES) & ~w) | hasZero(w ^ QUOTES) | hasZero(w ^ BACKSLASHES)) & HIGH;
            if (hits != 0) {
                return i + (Long.numberOfTrailingZeros(hits) >>> 3);
            }
        }
        while (i < to && (b[i] >= ' ' || b[i] < 0) && b[i] != '"' && b[i] != '\\') {
            i++;
        }
        return i;
    }

    /** The index of the first line feed or carriage return; {@code to} if none. */
    static int line(byte[] b, int i, int to) {
        for (; i <= to - Long.BYTES; i += Long.BYTES) {
            long w = (long) LONG.get(b, i);
            long hits = (hasZero(w ^ NEWLINES) | hasZero(w ^ RETURNS)) & HIGH;
            if (hits != 0) {
                return i + (Long.numberOfTrailingZeros(hits) >>> 3);
            }
        }
        while (i < to && b[i] != '\n' && b[i] != '\r') {
            i++;
        }
        return i;
    }

    /** The index of the first byte that is not ASCII; {@code to} if none. */
    static int ascii(byte[] b, int i, int to) {
        for (; i <= to - Long.BYTES; i += Long.BYTES) {
            long hits = (long) LONG.get(b, i) & HIGH;
            if (hits != 0) {
                return i + (Long.numberOfTrailingZeros(hits) >>> 3);
            }
        }
        while (i < to && b[i] >= 0) {
            i++;
        }
        return i;
    }

    private static long hasZero(long w) {
        return (w - ONES) & ~w;
    }
}

package dev.tidegate.protocol;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A growable array of bytes that frames are encoded into, made to be reused: once it has grown to the size of the
 * largest frame, encoding allocates nothing. Not thread-safe: one per thread that encodes. It grows to what is written;
 * callers bound that by bounding payloads.
 */
public final class FrameBuffer {
    private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] BASE64 =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".getBytes(StandardCharsets.US_ASCII);

    private byte[] bytes;
    private int size;

    public FrameBuffer(int initialCapacity) {
        this.bytes = new byte[Math.max(16, initialCapacity)];
    }

    /** Empties it; keeps the array. */
    public FrameBuffer clear() {
        size = 0;
        return this;
    }

    /** Bytes written. */
    public int size() {
        return size;
    }

    /** Cuts back to an earlier size. */
    public void truncate(int newSize) {
        if (newSize < 0 || newSize > size) {
            throw new IndexOutOfBoundsException(newSize);
        }
        size = newSize;
    }

    /** The array behind it, valid up to {@link #size()} and until the next append; not a copy, which would defeat the reuse. */
    public byte[] array() {
        return bytes;
    }

    /** A copy of what was written. */
    public byte[] toBytes() {
        return Arrays.copyOf(bytes, size);
    }

    /** What was written, as text. */
    public String toText() {
        return new String(bytes, 0, size, StandardCharsets.UTF_8);
    }

    private void room(int n) {
        if (bytes.length - size < n) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, Math.addExact(size, n)));
        }
    }

    /** Appends one byte. */
    public FrameBuffer raw(int b) {
        room(1);
        bytes[size++] = (byte) b;
        return this;
    }

    /** Appends bytes as they are. */
    public FrameBuffer raw(byte[] src) {
        return raw(src, 0, src.length);
    }

    /** Appends a range of bytes as they are. */
    public FrameBuffer raw(byte[] src, int offset, int length) {
        room(length);
        System.arraycopy(src, offset, bytes, size, length);
        size += length;
        return this;
    }

    /** Appends text that is known to be ASCII. */
    @SuppressWarnings(
            "deprecation") // getBytes(int,int,byte[],int) is the one copy without an encoder; ASCII by contract
    public FrameBuffer ascii(String s) {
        int n = s.length();
        room(n);
        s.getBytes(0, n, bytes, size);
        size += n;
        return this;
    }

    /** Appends a number in decimal. */
    public FrameBuffer number(long v) {
        room(20);
        if (v == Long.MIN_VALUE) {
            return ascii("-9223372036854775808");
        }
        if (v < 0) {
            bytes[size++] = '-';
            v = -v;
        }
        int digits = 1;
        for (long x = v; x >= 10; x /= 10) {
            digits++;
        }
        for (int i = size + digits - 1; i >= size; i--) {
            bytes[i] = (byte) ('0' + v % 10);
            v /= 10;
        }
        size += digits;
        return this;
    }

    /** Appends a JSON document, turning raw line breaks into spaces so that it stays one line (they can only stand
     * between tokens, where white space means nothing). */
    public FrameBuffer jsonOneLine(byte[] src, int offset, int length) {
        int start = size;
        raw(src, offset, length);
        for (int i = ByteRuns.line(bytes, start, size); i < size; i = ByteRuns.line(bytes, i + 1, size)) {
            bytes[i] = ' ';
        }
        return this;
    }

    /** Appends a JSON string of this text, quotes included. */
    public FrameBuffer jsonString(String s) {
        for (int i = 0, n = s.length(); i < n; i++) {
            char c = s.charAt(i);
            if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
                return jsonString(s.getBytes(StandardCharsets.UTF_8));
            }
        }
        raw('"').ascii(s);
        return raw('"');
    }

    /** Appends a JSON string of this UTF-8 text, quotes included. */
    public FrameBuffer jsonString(byte[] utf8) {
        return jsonString(utf8, 0, utf8.length);
    }

    /** Appends a JSON string of this UTF-8 text, quotes included. */
    public FrameBuffer jsonString(byte[] utf8, int offset, int length) {
        room(length + 2);
        raw('"');
        int end = offset + length;
        int i = offset;
        while (true) {
            int stop = ByteRuns.unescaped(utf8, i, end);
            raw(utf8, i, stop - i);
            if (stop == end) {
                return raw('"');
            }
            escape(utf8[stop]);
            i = stop + 1;
        }
    }

    private void escape(byte b) {
        switch (b) {
            case '"', '\\' -> raw('\\').raw(b);
            case '\n' -> raw('\\').raw('n');
            case '\r' -> raw('\\').raw('r');
            case '\t' -> raw('\\').raw('t');
            default -> ascii("\\u00").raw(HEX[b >> 4]).raw(HEX[b & 15]);
        }
    }

    /** Appends Base64 (standard alphabet, padded) without quotes. */
    public FrameBuffer base64(byte[] src, int offset, int length) {
        room((length + 2) / 3 * 4);
        int end = offset + length;
        int i = offset;
        for (; i + 2 < end; i += 3) {
            int v = (src[i] & 255) << 16 | (src[i + 1] & 255) << 8 | (src[i + 2] & 255);
            bytes[size++] = BASE64[v >> 18];
            bytes[size++] = BASE64[v >> 12 & 63];
            bytes[size++] = BASE64[v >> 6 & 63];
            bytes[size++] = BASE64[v & 63];
        }
        if (i < end) {
            boolean two = i + 1 < end;
            int v = (src[i] & 255) << 16 | (two ? (src[i + 1] & 255) << 8 : 0);
            bytes[size++] = BASE64[v >> 18];
            bytes[size++] = BASE64[v >> 12 & 63];
            bytes[size++] = two ? BASE64[v >> 6 & 63] : (byte) '=';
            bytes[size++] = '=';
        }
        return this;
    }
}

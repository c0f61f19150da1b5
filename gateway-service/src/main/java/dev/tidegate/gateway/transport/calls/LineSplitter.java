package dev.tidegate.gateway.transport.calls;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;

/**
 * Cuts a stream of bytes into lines as it arrives. Holds no more than the line that is not complete yet, and that is
 * bounded. Not thread-safe.
 */
final class LineSplitter {
    /** Receives the lines, without their line breaks; empty ones are left out. */
    interface Lines {
        void line(byte[] line);
    }

    private static final byte[] NOTHING = new byte[0];

    private final int maxLineBytes;
    private final Lines lines;
    private byte[] begun = NOTHING;
    private int begunLength;

    LineSplitter(int maxLineBytes, Lines lines) {
        this.maxLineBytes = maxLineBytes;
        this.lines = lines;
    }

    /**
     * Takes the next bytes; reads the buffer to its end, does not release it.
     *
     * @throws IllegalStateException if a line is longer than allowed
     */
    void accept(ByteBuf bytes) {
        while (bytes.isReadable()) {
            int length = bytes.bytesBefore((byte) '\n');
            if (length < 0) {
                keep(bytes, bytes.readableBytes());
                return;
            }
            byte[] line = complete(bytes, length);
            bytes.skipBytes(1);
            if (line.length > 0) {
                lines.line(line);
            }
        }
    }

    /** Whether the stream has ended in the middle of a line. */
    boolean midLine() {
        return begunLength > 0;
    }

    private byte[] complete(ByteBuf bytes, int length) {
        check(length);
        byte[] line = new byte[begunLength + length];
        System.arraycopy(begun, 0, line, 0, begunLength);
        bytes.readBytes(line, begunLength, length);
        begunLength = 0;
        begun = NOTHING;
        return line;
    }

    private void keep(ByteBuf bytes, int length) {
        check(length);
        if (begun.length - begunLength < length) {
            begun = Arrays.copyOf(begun, Math.max(begunLength + length, begun.length * 2));
        }
        bytes.readBytes(begun, begunLength, length);
        begunLength += length;
    }

    private void check(int more) {
        if (more > maxLineBytes - begunLength) {
            throw new IllegalStateException("a line of more than " + maxLineBytes + " bytes");
        }
    }
}

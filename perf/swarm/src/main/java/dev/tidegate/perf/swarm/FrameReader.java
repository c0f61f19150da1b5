package dev.tidegate.perf.swarm;

import io.netty.buffer.ByteBuf;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Reads what a server sends on a WebSocket: the head of its answer, then RFC 6455 frames. One for all connections of a
 * loop: a connection keeps nothing but the bytes of a frame that has not wholly come, mostly none.
 */
final class FrameReader {
    /** Largest frame taken: an event's payload bound of 64 KiB, escaped or in Base64, has room in it. */
    static final int MAX_FRAME = 1 << 20;

    /** Longest head of an answer taken. */
    static final int MAX_HEAD = 16 << 10;

    /** Receives what was read. A method returns false if the connection is done with: nothing more of it is read. */
    interface Sink {
        /** The head of the answer, up to the empty line. */
        boolean head(byte[] b, int from, int to);

        boolean text(byte[] b, int from, int to);

        boolean ping(byte[] b, int from, int to);

        /** A close frame; 1005 if it names no code. */
        boolean closing(int code);

        /** The bytes break the protocol. */
        void broken(String why);
    }

    private byte[] scratch = new byte[128 << 10];

    /**
     * Reads on.
     *
     * @param partial what the last call returned for this connection
     * @param inFrames whether the head has been read
     * @return bytes to be given to the next call for this connection, or null
     */
    byte @Nullable [] read(byte @Nullable [] partial, ByteBuf in, boolean inFrames, Sink sink) {
        int kept = partial == null ? 0 : partial.length;
        int n = kept + in.readableBytes();
        if (scratch.length < n) {
            scratch = new byte[Math.max(n, scratch.length * 2)];
        }
        byte[] b = scratch;
        if (partial != null) {
            System.arraycopy(partial, 0, b, 0, kept);
        }
        in.readBytes(b, kept, n - kept);
        int at = 0;
        if (!inFrames) {
            int end = headEnd(b, n, Math.max(0, kept - 3));
            if (end < 0) {
                if (n > MAX_HEAD) {
                    sink.broken("head of the answer is longer than " + MAX_HEAD + " bytes");
                    return null;
                }
                return Arrays.copyOf(b, n);
            }
            if (!sink.head(b, 0, end)) {
                return null;
            }
            at = end + 4;
        }
        at = frames(b, at, n, sink);
        return at < 0 || at == n ? null : Arrays.copyOfRange(b, at, n);
    }

    private static int headEnd(byte[] b, int n, int from) {
        for (int i = from; i + 3 < n; i++) {
            if (b[i] == '\r' && b[i + 1] == '\n' && b[i + 2] == '\r' && b[i + 3] == '\n') {
                return i;
            }
        }
        return -1;
    }

    /** The index after the last whole frame, or -1 if the connection is done with. */
    private static int frames(byte[] b, int at, int n, Sink sink) {
        while (n - at >= 2) {
            int length = b[at + 1] & 127;
            int head = length < 126 ? 2 : length == 126 ? 4 : 10;
            if (n - at < head) {
                return at;
            }
            long size = length;
            if (head > 2) {
                size = 0;
                for (int i = 2; i < head; i++) {
                    size = size << 8 | (b[at + i] & 255);
                }
            }
            if ((b[at] & 0xf0) != 0x80 || b[at + 1] < 0 || size < 0 || size > MAX_FRAME) {
                sink.broken(fault(b[at], b[at + 1]));
                return -1;
            }
            if (n - at - head < size) {
                return at;
            }
            int from = at + head;
            int to = from + (int) size;
            if (!frame(b, b[at] & 15, from, to, sink)) {
                return -1;
            }
            at = to;
        }
        return at;
    }

    private static boolean frame(byte[] b, int opcode, int from, int to, Sink sink) {
        return switch (opcode) {
            case 1 -> sink.text(b, from, to);
            case 8 -> sink.closing(to - from >= 2 ? (b[from] & 255) << 8 | (b[from + 1] & 255) : 1005);
            case 9 -> sink.ping(b, from, to);
            case 10 -> true;
            default -> {
                sink.broken("opcode " + opcode);
                yield false;
            }
        };
    }

    private static String fault(byte first, byte second) {
        if ((first & 0x80) == 0) {
            return "a fragmented frame: the gateway sends none";
        }
        if ((first & 0x70) != 0) {
            return "reserved bits set without an extension";
        }
        return second < 0 ? "a masked frame of a server" : "a frame of more than " + MAX_FRAME + " bytes";
    }
}

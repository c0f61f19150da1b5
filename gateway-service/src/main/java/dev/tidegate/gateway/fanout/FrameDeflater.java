package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.FrameBuffer;
import java.util.Arrays;
import java.util.zip.Deflater;

/**
 * Frames JSON as compressed text messages of permessage-deflate (RFC 7692), each by itself: nothing of one message is
 * used for the next ({@code server_no_context_takeover}), so the same bytes are right for every connection. A message
 * below the threshold, or one that would not shrink, is framed as it is, which the extension allows at any time.
 *
 * <p>Belongs to one thread, the tailer's. Its memory: zlib's own 268 KB outside of the heap (2^17 bytes of window and as
 * many of hash chains at its usual memory level), and an array of the largest frame's size. It lives as long as the
 * process; the JDK frees zlib's part when the object is collected.
 */
public final class FrameDeflater {
    /** Returned for a message that was not compressed. */
    public static final int AS_IT_IS = -1;

    /** An empty stored block, with which a flush ends; the peer adds it again (RFC 7692, 7.2.1). */
    private static final int TAIL = 4;

    private final Deflater deflater;
    private final int threshold;
    private byte[] compressed = new byte[4096];

    /**
     * A compressor of frames.
     *
     * @param level zlib's, 1 (fast) to 9 (small)
     * @param threshold a message of fewer bytes is not compressed
     */
    public FrameDeflater(int level, int threshold) {
        this.deflater = new Deflater(level, true);
        this.threshold = threshold;
    }

    /** Appends a text frame; returns the bytes of its compressed payload, or {@link #AS_IT_IS}. */
    public int append(FrameBuffer out, FrameBuffer json) {
        int n = json.size() < threshold ? AS_IT_IS : deflate(json);
        if (n == AS_IT_IS) {
            WireFormats.webSocketText(out, json);
        } else {
            WireFormats.webSocketDeflated(out, compressed, n);
        }
        return n;
    }

    private int deflate(FrameBuffer json) {
        int most = json.size() + TAIL; // what fills this has not become smaller
        if (compressed.length < most) {
            compressed = Arrays.copyOf(compressed, Math.max(compressed.length * 2, most));
        }
        deflater.reset();
        deflater.setInput(json.array(), 0, json.size());
        int n = deflater.deflate(compressed, 0, most, Deflater.SYNC_FLUSH);
        return n < most ? n - TAIL : AS_IT_IS;
    }
}

package dev.tidegate.gateway.session;

import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Decompresses what clients send under permessage-deflate (RFC 7692), one message at a time and none knowing of the one
 * before ({@code client_no_context_takeover}): so one of these serves all connections of an event loop, and a connection
 * keeps nothing. A message that would become larger than the frame limit is given up at the byte above it, whatever it
 * claims to hold.
 *
 * <p>Loop-confined. Its memory: zlib's 40 KB outside of the heap, and an array that grows to what was needed, at most
 * the frame limit.
 */
final class MessageInflater implements AutoCloseable {
    /** The message is larger than the limit. */
    static final int TOO_LARGE = -1;

    /** The bytes are no DEFLATE blocks. */
    static final int CORRUPT = -2;

    /** What a sender takes off the end of each message (RFC 7692, 7.2.1). */
    private static final byte[] TAIL = {0, 0, (byte) 0xff, (byte) 0xff};

    private final Inflater inflater = new Inflater(true);
    private final int maxBytes;
    private byte[] out = new byte[1024];
    private int size;

    /** @param maxBytes largest message, decompressed */
    MessageInflater(int maxBytes) {
        this.maxBytes = maxBytes;
    }

    /** Decompresses a message into {@link #array}; returns its bytes, or {@link #TOO_LARGE} or {@link #CORRUPT}. */
    int inflate(byte[] message) {
        inflater.reset();
        size = 0;
        try {
            return take(message) && take(TAIL) ? size : TOO_LARGE;
        } catch (DataFormatException e) {
            return CORRUPT;
        }
    }

    /** The last message, up to its size; valid until the next one. */
    byte[] array() {
        return out;
    }

    /** Whether all of it went in without the message growing above its limit. */
    private boolean take(byte[] input) throws DataFormatException {
        inflater.setInput(input);
        while (true) {
            if (size == out.length) {
                out = Arrays.copyOf(out, Math.min(size * 2, maxBytes + 1));
            }
            int n = inflater.inflate(out, size, out.length - size);
            size += n;
            if (size > maxBytes) {
                return false;
            }
            if (inflater.finished()) {
                // A sender may end a block as the last one (7.2.3.4); what follows it starts over.
                int left = inflater.getRemaining();
                inflater.reset();
                inflater.setInput(input, input.length - left, left);
                if (left == 0) {
                    return true;
                }
            } else if (n == 0) {
                return true; // it wants more, and there is no more
            }
        }
    }

    @Override
    public void close() {
        inflater.end();
    }
}

package dev.tidegate.gateway.session;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.zip.DataFormatException;
import java.util.zip.Deflater;
import java.util.zip.Inflater;

/** The client's end of permessage-deflate, as RFC 7692, 7.2 words it: each message by itself. */
final class Deflated {
    private Deflated() {}

    /** The payload of a compressed message. */
    static byte[] of(byte[] message) {
        Deflater d = new Deflater(9, true);
        try {
            d.setInput(message);
            byte[] out = new byte[message.length + 64];
            int n = d.deflate(out, 0, out.length, Deflater.SYNC_FLUSH);
            return Arrays.copyOf(out, n - 4);
        } finally {
            d.end();
        }
    }

    /** The message of a compressed payload. */
    static byte[] inflate(byte[] payload) {
        Inflater i = new Inflater(true);
        try {
            byte[] whole = Arrays.copyOf(payload, payload.length + 4);
            whole[whole.length - 2] = (byte) 0xff;
            whole[whole.length - 1] = (byte) 0xff;
            i.setInput(whole);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] part = new byte[4096];
            for (int n = i.inflate(part); n > 0; n = i.inflate(part)) {
                out.write(part, 0, n);
            }
            if (i.getRemaining() > 0) {
                throw new AssertionError("bytes behind the message");
            }
            return out.toByteArray();
        } catch (DataFormatException e) {
            throw new AssertionError("not compressed", e);
        } finally {
            i.end();
        }
    }
}

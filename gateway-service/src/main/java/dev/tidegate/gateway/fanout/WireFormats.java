package dev.tidegate.gateway.fanout;

import dev.tidegate.protocol.FrameBuffer;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** How a JSON frame is framed for each kind of connection. Stateless. */
public final class WireFormats {
    private static final byte[] EVENT = "event: ".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII);

    /** First byte of an unfragmented text frame (RFC 6455, 5.2). */
    private static final int FIN_TEXT = 0x81;

    /** The same with RSV1: the message is compressed (RFC 7692, 6). */
    private static final int FIN_TEXT_DEFLATED = 0xc1;

    private WireFormats() {}

    /** Appends an unmasked, unfragmented RFC 6455 text frame. */
    public static void webSocketText(FrameBuffer out, FrameBuffer json) {
        webSocket(out, FIN_TEXT, json.array(), json.size());
    }

    /** Appends a text frame of permessage-deflate, whose payload is the first so many of these bytes. */
    static void webSocketDeflated(FrameBuffer out, byte[] deflated, int n) {
        webSocket(out, FIN_TEXT_DEFLATED, deflated, n);
    }

    private static void webSocket(FrameBuffer out, int firstByte, byte[] payload, int n) {
        out.raw(firstByte);
        if (n < 126) {
            out.raw(n);
        } else if (n < 65536) {
            out.raw(126).raw(n >> 8).raw(n);
        } else {
            out.raw(127)
                    .raw(0)
                    .raw(0)
                    .raw(0)
                    .raw(0)
                    .raw(n >> 24)
                    .raw(n >> 16)
                    .raw(n >> 8)
                    .raw(n);
        }
        out.raw(payload, 0, n);
    }

    /** Most bytes before the payload of a text frame. */
    public static final int MAX_HEAD = 10;

    /** Writes what stands before the payload of an unmasked, unfragmented RFC 6455 text frame of so many bytes. */
    public static void webSocketHead(ByteBuf out, int n) {
        out.writeByte(FIN_TEXT);
        if (n < 126) {
            out.writeByte(n);
        } else if (n < 65536) {
            out.writeByte(126).writeShort(n);
        } else {
            out.writeByte(127).writeLong(n);
        }
    }

    /** Appends a block of an event stream but for its {@code id:} line and the empty line that ends it. */
    public static void sseBlock(FrameBuffer out, byte @Nullable [] type, FrameBuffer json) {
        if (type != null) {
            out.raw(EVENT).raw(type).raw('\n');
        }
        out.raw(DATA).raw(json.array(), 0, json.size()).raw('\n');
    }
}

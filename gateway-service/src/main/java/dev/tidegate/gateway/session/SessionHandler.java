package dev.tidegate.gateway.session;

import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.Utf8;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.ContinuationWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CorruptedWebSocketFrameException;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The last handler of the pipeline: what the wire brings, to the session. Joins fragments up to the frame limit; every
 * violation takes one exit, {@link #violation}. Loop-confined.
 */
final class SessionHandler extends ChannelInboundHandlerAdapter {
    private static final Logger LOG = LoggerFactory.getLogger(SessionHandler.class);

    /** The bit that permessage-deflate uses, in the three reserved ones of a frame. */
    private static final int RSV1 = 4;

    private final Session session;
    private final int maxFrameBytes;
    private @Nullable ByteBuf fragments; // of a text message whose last frame has not come; at most maxFrameBytes
    private boolean deflated; // whether those are compressed

    SessionHandler(Session session, int maxFrameBytes) {
        this.session = session;
        this.maxFrameBytes = maxFrameBytes;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
        try {
            if (msg instanceof WebSocketFrame frame) {
                onFrame(ctx, frame);
            } else {
                session.onSignOfLife(); // bytes of an event stream's client mean nothing more
            }
        } finally {
            ReferenceCountUtil.release(msg);
        }
    }

    private void onFrame(ChannelHandlerContext ctx, WebSocketFrame frame) {
        if (!session.isOpen() && !(frame instanceof CloseWebSocketFrame)) {
            return; // the close frame is our last word: nothing is read any more, and no ping answered
        }
        int rsv = frame.rsv(); // the decoder lets any pass where compression has been agreed on, none elsewhere
        if (rsv != 0 && !(rsv == RSV1 && frame instanceof TextWebSocketFrame)) {
            violation(CloseCode.BAD_FRAME, "reserved bits " + rsv + " (expected: RSV1 on a message's first frame)");
            return;
        }
        switch (frame) {
            case TextWebSocketFrame text -> {
                if (text.isFinalFragment()) {
                    message(ByteBufUtil.getBytes(text.content()), rsv == RSV1);
                } else {
                    deflated = rsv == RSV1;
                    fragments = ctx.alloc()
                            .heapBuffer(text.content().readableBytes())
                            .writeBytes(text.content());
                }
            }
            case ContinuationWebSocketFrame more -> fragment(more);
            case BinaryWebSocketFrame _ -> violation(CloseCode.BAD_FRAME, "binary frames are not spoken here");
            case PingWebSocketFrame ping -> {
                session.onSignOfLife();
                pong(ctx, ping.content());
            }
            case CloseWebSocketFrame _ -> session.onPeerClose();
            default -> session.onSignOfLife(); // a pong
        }
    }

    private void fragment(ContinuationWebSocketFrame more) {
        ByteBuf joined = fragments;
        if (joined == null) {
            return; // the decoder refuses a continuation of nothing; one of a binary message ended the session already
        }
        if (joined.readableBytes() + more.content().readableBytes() > maxFrameBytes) {
            violation(CloseCode.FRAME_TOO_LARGE, "a message may have " + maxFrameBytes + " bytes");
            return;
        }
        joined.writeBytes(more.content());
        if (more.isFinalFragment()) {
            byte[] all = ByteBufUtil.getBytes(joined);
            dropFragments();
            message(all, deflated);
        }
    }

    private void message(byte[] bytes, boolean compressed) {
        if (!compressed) {
            text(bytes, bytes.length);
            return;
        }
        MessageInflater inflater = session.shard.inflater();
        int n = inflater.inflate(bytes);
        switch (n) {
            case MessageInflater.TOO_LARGE ->
                violation(CloseCode.FRAME_TOO_LARGE, "a message may have " + maxFrameBytes + " bytes");
            case MessageInflater.CORRUPT -> violation(CloseCode.BAD_FRAME, "a compressed message that is none");
            default -> text(inflater.array(), n);
        }
    }

    private void text(byte[] bytes, int length) {
        if (Utf8.isValid(bytes, 0, length)) {
            session.onText(bytes, 0, length);
        } else {
            violation(CloseCode.BAD_FRAME, "text is not UTF-8");
        }
    }

    private void pong(ChannelHandlerContext ctx, ByteBuf payload) {
        int n = payload.readableBytes(); // at most 125, the decoder sees to it
        session.write(
                ctx.alloc().directBuffer(2 + n).writeByte(0x8a).writeByte(n).writeBytes(payload));
    }

    private void violation(CloseCode code, String reason) {
        dropFragments();
        session.close(code, reason);
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
        session.shard.flushDirty();
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext ctx) {
        session.onWritabilityChanged();
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        dropFragments();
        session.onInactive();
        session.shard.flushDirty();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        // The frame decoder's own faults come as they are; TLS's, an IOException, come as the decoder's cause.
        Throwable inner = cause instanceof DecoderException ? cause.getCause() : null;
        Throwable root = inner == null ? cause : inner;
        switch (root) {
            case CorruptedWebSocketFrameException c
            when c.closeStatus().code() == 1009 ->
                violation(CloseCode.FRAME_TOO_LARGE, "a frame may have " + maxFrameBytes + " bytes");
            case TooLongFrameException _ ->
                violation(CloseCode.FRAME_TOO_LARGE, "a frame may have " + maxFrameBytes + " bytes");
            case CorruptedFrameException c -> violation(CloseCode.BAD_FRAME, String.valueOf(c.getMessage()));
            case IOException _ -> {
                var _ = ctx.close(); // the peer is gone
            }
            default -> {
                LOG.warn("Connection closed for an unexpected fault", cause);
                violation(CloseCode.INTERNAL, CloseCode.INTERNAL.defaultReason());
            }
        }
    }

    private void dropFragments() {
        ByteBuf f = fragments;
        if (f != null) {
            fragments = null;
            f.release();
        }
    }
}

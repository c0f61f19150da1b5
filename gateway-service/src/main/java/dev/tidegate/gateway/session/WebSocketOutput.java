package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.WireFormats;
import dev.tidegate.gateway.resume.Replayed;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.FrameBuffer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http.websocketx.WebSocket13FrameDecoder;
import io.netty.handler.codec.http.websocketx.WebSocketDecoderConfig;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * RFC 6455 text frames, written ready framed: there is no encoder in the pipeline. Stateless, one for all, and another for
 * those that take compressed messages: these get them where one was made for many, in a batch; what is framed for one
 * connection alone goes plain.
 */
final class WebSocketOutput implements SessionOutput {
    static final WebSocketOutput PLAIN = new WebSocketOutput(false);
    static final WebSocketOutput DEFLATING = new WebSocketOutput(true);

    /** Replayed events are laid behind each other in buffers of so many bytes; a larger event has one for itself. */
    private static final int MAX_REPLAY_WRITE = 64 * 1024;

    private static final int FIN_CLOSE = 0x88;
    private static final ByteBuf PING = Unpooled.unreleasableBuffer(
            Unpooled.directBuffer(2).writeByte(0x89).writeByte(0).asReadOnly());

    private final boolean deflating;

    private WebSocketOutput(boolean deflating) {
        this.deflating = deflating;
    }

    @Override
    public boolean isSse() {
        return false;
    }

    @Override
    public ChannelHandlerContext install(Channel channel, Session session, int maxFrameBytes) {
        ChannelPipeline p = channel.pipeline();
        // The whole pipeline of a WebSocket: [ssl], frame decoder, session. No aggregator (the session handler bounds
        // and joins fragments), no encoder, no idle handler (the shard sweeps).
        p.addLast(
                "ws-decoder",
                new WebSocket13FrameDecoder(WebSocketDecoderConfig.newBuilder()
                        .maxFramePayloadLength(maxFrameBytes)
                        .expectMaskedFrames(true)
                        .allowMaskMismatch(false)
                        .allowExtensions(deflating) // which of their bits, the session handler checks
                        .closeOnProtocolViolation(false)
                        .withUTF8Validator(false)
                        .build()));
        p.addLast("session", new SessionHandler(session, maxFrameBytes));
        ChannelHandlerContext ctx = p.context("session");
        if (ctx == null) {
            throw new IllegalStateException("the session handler is not in its pipeline");
        }
        return ctx;
    }

    @Override
    public void control(ChannelHandlerContext ctx, LoopShard shard) {
        WireFormats.webSocketText(shard.framed.clear(), shard.json);
        write(ctx, shard.framed);
    }

    @Override
    public void error(ChannelHandlerContext ctx, LoopShard shard) {
        control(ctx, shard);
    }

    @Override
    public void reconnect(ChannelHandlerContext ctx, LoopShard shard, int afterMs) {
        control(ctx, shard);
    }

    @Override
    public void gap(ChannelHandlerContext ctx, Session session, LoopShard shard) {
        control(ctx, shard);
    }

    @Override
    public void position(ChannelHandlerContext ctx, Session session, LoopShard shard) {
        control(ctx, shard);
    }

    @Override
    public void replayed(ChannelHandlerContext ctx, Session session, Subscription sub, List<Replayed> events) {
        // A page is one write, or a few: twenty events would else be twenty buffers and twenty entries of the
        // transport.
        int next = 0;
        while (next < events.size()) {
            int first = next;
            int bytes = 0;
            do {
                bytes += WireFormats.MAX_HEAD + events.get(next++).frame().length;
            } while (next < events.size()
                    && bytes + WireFormats.MAX_HEAD + events.get(next).frame().length <= MAX_REPLAY_WRITE);
            ByteBuf buf = ctx.alloc().directBuffer(bytes);
            for (Replayed e : events.subList(first, next)) {
                WireFormats.webSocketHead(buf, e.frame().length);
                buf.writeBytes(e.frame());
            }
            var _ = ctx.write(buf, ctx.voidPromise());
        }
    }

    @Override
    public void events(
            ChannelHandlerContext ctx,
            Session session,
            Subscription sub,
            LoopBatch batch,
            int segment,
            int fromEvent,
            int toEvent) {
        var _ = ctx.write(batch.frames(segment, deflating).range(segment, fromEvent, toEvent), ctx.voidPromise());
    }

    @Override
    public void heartbeat(ChannelHandlerContext ctx) {
        var _ = ctx.write(PING.duplicate(), ctx.voidPromise());
    }

    @Override
    public void beforeFlush(ChannelHandlerContext ctx, Session session, @Nullable LoopBatch batch) {
        // A WebSocket's positions are in its frames.
    }

    @Override
    public void close(ChannelHandlerContext ctx, CloseCode code, String reason) {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        if (text.length > CloseCode.MAX_REASON_BYTES) {
            text = code.defaultReason().getBytes(StandardCharsets.UTF_8);
        }
        ByteBuf frame = ctx.alloc().directBuffer(4 + text.length);
        frame.writeByte(FIN_CLOSE)
                .writeByte(2 + text.length)
                .writeShort(code.number())
                .writeBytes(text);
        var _ = ctx.writeAndFlush(frame, ctx.voidPromise());
    }

    private static void write(ChannelHandlerContext ctx, FrameBuffer framed) {
        ByteBuf buf = ctx.alloc().directBuffer(framed.size());
        buf.writeBytes(framed.array(), 0, framed.size());
        var _ = ctx.write(buf, ctx.voidPromise());
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.WireFormats;
import dev.tidegate.gateway.resume.Replayed;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.ResumeToken;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An event stream. Every event ends in an {@code id:} line that covers all channels of the stream: per partition the
 * smallest position of its channels here, so that resuming from it can repeat an event but never skip one. A position
 * that moves without an event is a block of an {@code id:} line alone, which moves a browser's last event id and fires
 * nothing. Only where the stream resumes, and where replay ends and live begins, the channel's own position is told, by an
 * event named {@code position}: the next event may name it as its {@code prev}, and the id, which is the smallest of
 * several channels, may lie before it. Loop-confined; one per stream.
 */
final class SseOutput implements SessionOutput {
    private static final byte[] ERROR = "event: tidegate-error\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] GAP = "event: gap\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] POSITION = "event: position\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] DATA = "data: ".getBytes(StandardCharsets.US_ASCII);
    private static final ByteBuf COMMENT = Unpooled.unreleasableBuffer(Unpooled.directBuffer(4)
            .writeBytes(":\n\n".getBytes(StandardCharsets.US_ASCII))
            .asReadOnly());

    private String lastToken = "";

    @Override
    public boolean isSse() {
        return true;
    }

    @Override
    public ChannelHandlerContext install(Channel channel, Session session, int maxFrameBytes) {
        channel.pipeline().addLast("session", new SessionHandler(session, maxFrameBytes));
        ChannelHandlerContext ctx = channel.pipeline().context("session");
        if (ctx == null) {
            throw new IllegalStateException("the session handler is not in its pipeline");
        }
        return ctx;
    }

    @Override
    public void control(ChannelHandlerContext ctx, LoopShard shard) {
        // An event stream has nobody who asked; positions are in its ids.
    }

    @Override
    public void error(ChannelHandlerContext ctx, LoopShard shard) {
        FrameBuffer b = shard.framed.clear();
        b.raw(ERROR)
                .raw(DATA)
                .raw(shard.json.array(), 0, shard.json.size())
                .raw('\n')
                .raw('\n');
        write(ctx, b);
    }

    /** A browser keeps to it from here on, whenever it is cut off, hence in seconds at most. */
    @Override
    public void reconnect(ChannelHandlerContext ctx, LoopShard shard, int afterMs) {
        write(
                ctx,
                shard.framed.clear().ascii("retry: ").number(afterMs).raw('\n').raw('\n'));
    }

    @Override
    public void gap(ChannelHandlerContext ctx, Session session, LoopShard shard) {
        FrameBuffer b = shard.framed.clear();
        b.raw(GAP).raw(DATA).raw(shard.json.array(), 0, shard.json.size()).raw('\n');
        end(ctx, session, b);
    }

    @Override
    public void position(ChannelHandlerContext ctx, Session session, LoopShard shard) {
        FrameBuffer b = shard.framed.clear();
        b.raw(POSITION).raw(DATA).raw(shard.json.array(), 0, shard.json.size()).raw('\n');
        end(ctx, session, b);
    }

    @Override
    public void replayed(ChannelHandlerContext ctx, Session session, Subscription sub, List<Replayed> events) {
        for (Replayed e : events) {
            FrameBuffer b = session.shard.framed.clear();
            FrameBuffer json = session.shard.json.clear().raw(e.frame());
            WireFormats.sseBlock(b, EventFrames.typeOf(e.frame()), json);
            sub.position = e.cursor().offset();
            end(ctx, session, b);
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
        for (int e = fromEvent; e < toEvent; e++) {
            var _ = ctx.write(batch.sse(segment, e), ctx.voidPromise());
            sub.position = batch.offset(segment, e);
            end(ctx, session, session.shard.framed.clear());
        }
    }

    @Override
    public void heartbeat(ChannelHandlerContext ctx) {
        var _ = ctx.write(COMMENT.duplicate(), ctx.voidPromise());
    }

    @Override
    public void beforeFlush(ChannelHandlerContext ctx, Session session, @Nullable LoopBatch batch) {
        List<Subscription> subs = session.subscriptions();
        if (batch != null && subs.size() > 1) {
            // All of the batch has been written: every live channel of its partitions has come to their ends.
            for (Subscription s : subs) {
                for (int i = 0; s.live() && i < batch.movedPartitions(); i++) {
                    if (batch.movedPartition(i) == s.channel.partition()) {
                        s.position = Math.max(s.position, batch.movedTo(i));
                    }
                }
            }
        }
        idOnly(ctx, session);
    }

    @Override
    public void close(ChannelHandlerContext ctx, CloseCode code, String reason) {
        var _ = ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    private void idOnly(ChannelHandlerContext ctx, Session session) {
        String token = token(session);
        if (!token.isEmpty() && !token.equals(lastToken)) {
            lastToken = token;
            write(
                    ctx,
                    session.shard
                            .framed
                            .clear()
                            .ascii("id: ")
                            .ascii(token)
                            .raw('\n')
                            .raw('\n'));
        }
    }

    /** Ends the block in the buffer with the stream's token. */
    private void end(ChannelHandlerContext ctx, Session session, FrameBuffer block) {
        String token = token(session);
        if (!token.isEmpty()) {
            lastToken = token;
            block.ascii("id: ").ascii(token).raw('\n');
        }
        block.raw('\n');
        write(ctx, block);
    }

    /** Per partition the smallest position of the stream's channels; empty before there is any. */
    private static String token(Session session) {
        List<Subscription> subs = session.subscriptions();
        if (subs.isEmpty() || session.starting() || session.shard.moving()) {
            return ""; // not all of the stream's channels are there, or not all in one topic
        }
        if (subs.size() == 1) {
            Subscription s = subs.getFirst();
            return known(s) ? s.cursor(position(s)).toString() : "";
        }
        SortedMap<Integer, Long> offsets = new TreeMap<>();
        for (Subscription s : subs) {
            if (!known(s)) {
                return "";
            }
            offsets.merge(s.channel.partition(), position(s), Math::min);
        }
        Cursor any = subs.getFirst().cursor(0);
        return new ResumeToken(any.epoch(), offsets).toString();
    }

    /** Whether the position is of this topic: not while a cursor of another one is being resolved. */
    private static boolean known(Subscription s) {
        return s.position != Long.MAX_VALUE && (s.merge == null || s.position > Cursor.BEFORE_FIRST);
    }

    private static long position(Subscription s) {
        return s.position;
    }

    private static void write(ChannelHandlerContext ctx, FrameBuffer b) {
        ByteBuf buf = ctx.alloc().directBuffer(b.size());
        buf.writeBytes(b.array(), 0, b.size());
        var _ = ctx.write(buf, ctx.voidPromise());
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.resume.Replayed;
import dev.tidegate.protocol.CloseCode;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * How one kind of connection spells what a session says; loop-confined. Nothing here flushes but {@link #close}. Methods
 * that take a shard send the JSON frame that stands in its buffer.
 */
interface SessionOutput {
    static SessionOutput of(Handshake.WireFormat format) {
        return switch (format) {
            case WEBSOCKET -> WebSocketOutput.PLAIN;
            case WEBSOCKET_DEFLATE -> WebSocketOutput.DEFLATING;
            case SSE -> new SseOutput();
        };
    }

    boolean isSse();

    /** Adds the session's handlers to a bare channel; returns the context that writes go through. */
    ChannelHandlerContext install(Channel channel, Session session, int maxFrameBytes);

    /** An answer to the client. */
    void control(ChannelHandlerContext ctx, LoopShard shard);

    void error(ChannelHandlerContext ctx, LoopShard shard);

    /** Asks the client to come back after this many milliseconds; {@link #close} follows. */
    void reconnect(ChannelHandlerContext ctx, LoopShard shard, int afterMs);

    void gap(ChannelHandlerContext ctx, Session session, LoopShard shard);

    void position(ChannelHandlerContext ctx, Session session, LoopShard shard);

    /** A page out of the log. An event stream's positions move along, since they stand in its blocks. */
    void replayed(ChannelHandlerContext ctx, Session session, Subscription sub, List<Replayed> events);

    /** Events of a segment, from this one on and before that one. */
    void events(
            ChannelHandlerContext ctx,
            Session session,
            Subscription sub,
            LoopBatch batch,
            int segment,
            int fromEvent,
            int toEvent);

    void heartbeat(ChannelHandlerContext ctx);

    /** Called once before each flush; {@code batch} is the one that was delivered, if any. */
    void beforeFlush(ChannelHandlerContext ctx, Session session, @Nullable LoopBatch batch);

    /**
     * Says the last word and flushes it; the connection is left open until the peer has answered or {@link Sweep#CLOSE_MS}
     * are over, since closing it on bytes that the peer is still sending would reset it, and the last word with it.
     */
    void close(ChannelHandlerContext ctx, CloseCode code, String reason);
}

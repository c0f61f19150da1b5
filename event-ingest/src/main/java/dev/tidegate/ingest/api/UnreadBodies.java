package dev.tidegate.ingest.api;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.concurrent.TimeUnit;

/**
 * Bounds what a publisher may still send after it has been answered. A request can be refused before its body has been
 * read; what is left of it is read and dropped, so that the publisher, busy with sending, gets to see the answer. But not
 * without end: after {@link #MAX_BYTES} or {@link #MAX_SECONDS} the connection is closed. One per connection, on its event loop.
 */
final class UnreadBodies extends ChannelDuplexHandler {
    static final long MAX_BYTES = 4 << 20;
    static final int MAX_SECONDS = 5;

    private long requests;
    private long answers;
    private boolean reading;
    private long dropped;

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        if (msg instanceof HttpRequest) {
            requests++;
            reading = true;
            dropped = 0;
        }
        if (msg instanceof HttpContent content) {
            if (content instanceof LastHttpContent) {
                reading = false;
            } else if (isAnswered()) {
                dropped += content.content().readableBytes();
                if (dropped > MAX_BYTES) {
                    ReferenceCountUtil.release(msg);
                    var _ = ctx.close();
                    return;
                }
            }
        }
        super.channelRead(ctx, msg);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
        boolean interim = msg instanceof HttpResponse r && r.status().equals(HttpResponseStatus.CONTINUE);
        if (msg instanceof LastHttpContent && !interim) {
            answers++;
            if (isAnswered()) {
                long request = requests;
                var _ = ctx.executor().schedule(() -> closeIfStillReading(ctx, request), MAX_SECONDS, TimeUnit.SECONDS);
            }
        }
        super.write(ctx, msg, promise);
    }

    /** Whether the request whose body is coming in has its answer already. */
    private boolean isAnswered() {
        return reading && answers == requests;
    }

    private void closeIfStillReading(ChannelHandlerContext ctx, long request) {
        if (requests == request && isAnswered()) {
            var _ = ctx.close();
        }
    }
}

package dev.tidegate.intake;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProblemDetails;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpVersion;

/**
 * Requests that never become ones for WebFlux (not HTTP, a path that is no URI, headers too large, a body that does not
 * arrive) are refused beneath it, with a status and nothing else. This gives those refusals the body that all others have,
 * and closes the connection: what follows on it cannot be trusted to be a request. On the event loop.
 */
@Sharable
public final class BareRefusals extends ChannelOutboundHandlerAdapter {
    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
        if (!(msg instanceof FullHttpResponse response) || response.content().isReadable()) {
            super.write(ctx, msg, promise);
            return;
        }
        String detail = switch (response.status().code()) {
            case 400 -> "the request is not valid HTTP, or its path is not a valid URI (percent-encode it)";
            case 408 -> "body: it did not arrive in time";
            case 413 -> "body: too large";
            case 414 -> "path: too long";
            case 431 -> "headers: too large";
            default -> "";
        };
        if (detail.isEmpty()) {
            super.write(ctx, msg, promise);
            return;
        }
        response.release();
        int status = response.status().code();
        byte[] body = ProblemDetails.encode(
                status,
                response.status().reasonPhrase(),
                status == 413 ? ErrorCode.TOO_LARGE : ErrorCode.BAD_REQUEST,
                detail);
        FullHttpResponse full =
                new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, response.status(), Unpooled.wrappedBuffer(body));
        full.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, ProblemDetails.MEDIA_TYPE)
                .setInt(HttpHeaderNames.CONTENT_LENGTH, body.length)
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
        var _ = ctx.write(full, promise.unvoid().addListener(ChannelFutureListener.CLOSE));
    }
}

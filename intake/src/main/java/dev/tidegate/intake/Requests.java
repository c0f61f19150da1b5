package dev.tidegate.intake;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpStatusClass;
import io.netty.handler.codec.http.LastHttpContent;

/** Tells a connection's {@link Arrival} what its HTTP codec has made of the bytes. On its event loop. */
final class Requests extends ChannelDuplexHandler {
    private final Arrival arrival;

    Requests(Arrival arrival) {
        this.arrival = arrival;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) throws Exception {
        if (msg instanceof HttpRequest) {
            arrival.requested();
        }
        super.channelRead(ctx, msg);
    }

    @Override
    public void write(ChannelHandlerContext ctx, Object msg, ChannelPromise promise) throws Exception {
        boolean interim = msg instanceof HttpResponse r && r.status().codeClass() == HttpStatusClass.INFORMATIONAL;
        super.write(ctx, msg, promise);
        if (msg instanceof LastHttpContent && !interim) {
            arrival.answered();
        }
    }
}

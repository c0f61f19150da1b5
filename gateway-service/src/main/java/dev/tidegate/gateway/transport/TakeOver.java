package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.session.Handshake;
import dev.tidegate.gateway.session.SessionOpener;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.AttributeKey;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.http.server.reactive.ServerHttpResponseDecorator;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;

/**
 * Takes a connection away from HTTP and hands it to a session. What is removed: every handler of Netty's and Reactor
 * Netty's HTTP server but TLS, and the channel attribute by which Reactor Netty finds its operations (request, headers,
 * exchange, and through it the whole WebFlux chain). Nothing else refers to them, so the next collection frees them: a
 * connection then costs what Netty itself needs. The exchange's {@code Mono} is never completed, since Spring would
 * commit a response of its own; it holds nothing and nothing holds it.
 */
final class TakeOver {
    private static final Logger LOG = LoggerFactory.getLogger(TakeOver.class);

    /** The name of {@code reactor.netty.ReactorNetty.CONNECTION}, which is not public; the leak test guards it. */
    private static final AttributeKey<Object> CONNECTION = AttributeKey.valueOf("$CONNECTION");

    private final SessionOpener sessions;

    TakeOver(SessionOpener sessions) {
        this.sessions = sessions;
    }

    /**
     * Takes over, on a later turn of the connection's loop: on this one its HTTP decoder still has the end of the
     * request to pass on. Any thread.
     *
     * @param head the response head to be written first, with its empty line; ASCII
     * @return the exchange's end, which never comes
     */
    Mono<Void> handOver(ServerHttpResponse response, String head, Handshake handshake) {
        Channel channel = channelOf(response);
        channel.eventLoop().execute(() -> onLoop(channel, head, handshake));
        return Mono.never();
    }

    private static Channel channelOf(ServerHttpResponse response) {
        Object operations = ServerHttpResponseDecorator.getNativeResponse(response);
        return ((Connection) operations).channel();
    }

    @SuppressWarnings("FutureReturnValueIgnored") // a failed write closes the channel, which its session hears of
    private void onLoop(Channel channel, String head, Handshake handshake) {
        assert channel.eventLoop().inEventLoop();
        if (!channel.isActive()) {
            return; // gone while its token was being verified; Reactor Netty has cleaned up by itself
        }
        try {
            removeHttp(channel);
            channel.write(ByteBufUtil.writeAscii(channel.alloc(), head), channel.voidPromise());
            sessions.open(channel, handshake);
            channel.flush();
            channel.config().setAutoRead(true); // Reactor Netty reads on demand
        } catch (RuntimeException | OutOfMemoryError e) {
            LOG.warn("taking over {} failed", channel, e);
            channel.close();
        }
    }

    private static void removeHttp(Channel channel) {
        ChannelPipeline pipeline = channel.pipeline();
        for (ChannelHandler handler : pipeline.toMap().values()) {
            if (!(handler instanceof SslHandler)) {
                pipeline.remove(handler);
            }
        }
        forgetOperations(channel);
    }

    @SuppressWarnings("deprecation") // set(null) would leave the attribute's 40 bytes; nothing else asks for it now
    private static void forgetOperations(Channel channel) {
        channel.attr(CONNECTION).remove();
    }
}

package dev.tidegate.perf.swarm;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketServerHandshakerFactory;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A gateway and an ingest in one, on one event loop, which keeps PROTOCOL.md except where its script says otherwise. It
 * speaks through Netty's own HTTP and WebSocket codecs.
 */
@SuppressWarnings("FutureReturnValueIgnored") // a write that fails closes its connection, and the test fails by that
final class ScriptedGateway implements AutoCloseable {
    /** An event of the log. */
    record Event(String channel, long offset, long prev, String payload) {
        String frame(long toldPrev, boolean replay) {
            String cursor = "Epoch123.0." + offset;
            return "{\"op\":\"event\",\"channel\":\"" + channel + "\",\"cursor\":\"" + cursor + "\",\"prev\":"
                    + toldPrev
                    + ",\"id\":\"" + cursor + "\",\"time\":1" + (replay ? ",\"replay\":true" : "") + ",\"data\":"
                    + payload + "}";
        }

        String frame() {
            return frame(prev, false);
        }
    }

    /** What a connection is sent of a live event; the connection's number counts handshakes from 0. */
    interface Script {
        List<String> frames(Event event, int connection);
    }

    private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    private final Channel server;
    private final AtomicInteger handshakes = new AtomicInteger();

    // Of the event loop:
    private final Map<String, List<Event>> log = new LinkedHashMap<>();
    private final Map<Channel, Session> sessions = new LinkedHashMap<>();
    private long nextOffset = 100;

    volatile Script script = (event, connection) -> List.of(event.frame());
    volatile boolean loseOnReplay;
    volatile HttpResponseStatus refuse;
    final AtomicInteger refusals = new AtomicInteger();

    private record Session(int number, List<String> channels) {}

    ScriptedGateway() {
        server = new ServerBootstrap()
                .group(group)
                .channel(NioServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, 1024)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel c) {
                        c.pipeline().addLast(new HttpServerCodec(), new HttpObjectAggregator(1 << 16), new Http());
                    }
                })
                .bind("127.0.0.1", 0)
                .syncUninterruptibly()
                .channel();
    }

    int port() {
        return ((InetSocketAddress) server.localAddress()).getPort();
    }

    int connections() {
        return handshakes.get();
    }

    /** Connections open now; any thread. */
    int open() {
        return group.next().submit(sessions::size).syncUninterruptibly().getNow();
    }

    /** Publishes; any thread. */
    void publish(String channel, String payload) {
        group.next().submit(() -> append(channel, payload)).syncUninterruptibly();
    }

    /** Pings every connection, behind what was sent before; any thread. */
    void pingAll() {
        group.next()
                .submit(() -> List.copyOf(sessions.keySet()).forEach(c -> c.writeAndFlush(new PingWebSocketFrame())))
                .syncUninterruptibly();
    }

    /** Closes every connection with a code; any thread. */
    void closeAll(int code) {
        group.next()
                .submit(() -> List.copyOf(sessions.keySet())
                        .forEach(c -> c.writeAndFlush(new CloseWebSocketFrame(code, "scripted"))
                                .addListener(f -> c.close())))
                .syncUninterruptibly();
    }

    private Event append(String channel, String payload) {
        List<Event> events = log.computeIfAbsent(channel, c -> new ArrayList<>());
        long prev = events.isEmpty() ? 99 : events.getLast().offset;
        Event event = new Event(channel, nextOffset++, prev, payload);
        events.add(event);
        new LinkedHashMap<>(sessions).forEach((c, s) -> {
            if (s.channels.contains(channel)) {
                script.frames(event, s.number).forEach(f -> c.write(new TextWebSocketFrame(f)));
                c.flush();
            }
        });
        return event;
    }

    private final class Http extends SimpleChannelInboundHandler<FullHttpRequest> {
        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest request) {
            QueryStringDecoder uri = new QueryStringDecoder(request.uri());
            HttpResponseStatus refusal = refuse;
            if (request.method().equals(HttpMethod.POST)) {
                String channel = uri.path().split("/", -1)[3];
                Event event = append(channel, request.content().toString(StandardCharsets.UTF_8));
                String cursor = "\"Epoch123.0." + event.offset + "\"";
                answer(
                        ctx,
                        HttpResponseStatus.CREATED,
                        "{\"id\":" + cursor + ",\"cursor\":" + cursor + ",\"status\":\"stored\"}");
            } else if (refusal != null) {
                refusals.incrementAndGet();
                answer(ctx, refusal, "{}");
            } else {
                upgrade(ctx, request, uri);
            }
        }

        private void answer(ChannelHandlerContext ctx, HttpResponseStatus status, String body) {
            var response = new DefaultFullHttpResponse(
                    HttpVersion.HTTP_1_1, status, Unpooled.copiedBuffer(body, StandardCharsets.UTF_8));
            response.headers().set("Content-Length", body.length());
            response.headers().set("Content-Type", "application/json");
            ctx.writeAndFlush(response);
        }

        private void upgrade(ChannelHandlerContext ctx, FullHttpRequest request, QueryStringDecoder uri) {
            var handshaker = new WebSocketServerHandshakerFactory("ws://x/v1/ws", "tidegate.v1.json", false)
                    .newHandshaker(request);
            ctx.pipeline().addLast(new Frames());
            handshaker.handshake(ctx.channel(), request);
            Session session = new Session(handshakes.getAndIncrement(), new ArrayList<>());
            sessions.put(ctx.channel(), session);
            ctx.channel().closeFuture().addListener(f -> sessions.remove(ctx.channel()));
            ctx.write(new TextWebSocketFrame("{\"op\":\"connected\",\"heartbeatMs\":25000}"));
            List<String> channels = uri.parameters().getOrDefault("channel", List.of());
            List<String> after = uri.parameters().getOrDefault("after", List.of());
            for (int i = 0; i < channels.size(); i++) {
                subscribe(ctx, session, channels.get(i), i < after.size() ? after.get(i) : null);
            }
            ctx.flush();
        }
    }

    private void subscribe(ChannelHandlerContext ctx, Session session, String channel, String after) {
        session.channels.add(channel);
        ctx.write(
                new TextWebSocketFrame("{\"op\":\"subscribed\",\"channel\":\"" + channel + "\",\"cursor\":\"Epoch123.0."
                        + (nextOffset - 1) + "\",\"recovery\":\"" + (after == null ? "none" : "complete") + "\"}"));
        if (after == null) {
            return;
        }
        long position = Long.parseLong(after.substring(after.lastIndexOf('.') + 1));
        boolean first = true;
        for (Event e : log.getOrDefault(channel, List.of())) {
            if (e.offset > position) {
                if (!(first && loseOnReplay)) {
                    ctx.write(new TextWebSocketFrame(e.frame(e.prev, true)));
                }
                first = false;
            }
        }
    }

    private final class Frames extends SimpleChannelInboundHandler<WebSocketFrame> {
        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            ctx.close(); // a client that was cut
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, WebSocketFrame frame) {
            if (frame instanceof CloseWebSocketFrame) {
                ctx.writeAndFlush(new CloseWebSocketFrame()).addListener(f -> ctx.close());
            } else if (frame instanceof TextWebSocketFrame text) {
                String channel = text.text().replaceAll(".*\"channel\":\"([^\"]+)\".*", "$1");
                String after = text.text().contains("\"after\"")
                        ? text.text().replaceAll(".*\"after\":\"([^\"]+)\".*", "$1")
                        : null;
                subscribe(ctx, sessions.get(ctx.channel()), channel, after);
                ctx.flush();
            }
        }
    }

    @Override
    public void close() {
        group.shutdownGracefully(0, 1, java.util.concurrent.TimeUnit.SECONDS).syncUninterruptibly();
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.protocol.ChannelName;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Broadcasts over real sockets that are now full and now not: the bytes that go past the transport, and those that the
 * transport writes because the socket did not take them, must come in order. A batch holds several channels of one
 * connection, so that several sends of one socket follow each other.
 */
class DirectSendsTest {
    private static final int CHANNELS = 4;
    private static final int BATCHES = 1_500;
    private static final int PAYLOAD = 3_000;

    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    private EventLoopGroup group;
    private LoopShard shard;
    private Channel server;
    private final CompletableFuture<Void> opened = new CompletableFuture<>();
    private volatile Handshake.WireFormat format = Handshake.WireFormat.WEBSOCKET;

    @BeforeEach
    void start() throws Exception {
        assumeTrue(Epoll.isAvailable(), "no epoll here");
        group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        EventLoop loop = (EventLoop) group.iterator().next();
        var shared = new LoopShard.Shared(
                SessionLimits.DEFAULT,
                new AccessPolicy(Map.of("default", new AccessPolicy.Namespace(1, false, true, true, true))),
                (token, done) -> {
                    throw new AssertionError();
                },
                (request, listener) -> {
                    throw new AssertionError("nothing is to be parked here");
                },
                (identity, frame, done) -> {
                    throw new AssertionError();
                },
                new ScriptedDurableStore(),
                Presence.NONE,
                () -> true,
                new GatewayMetrics());
        shard = new LoopShard(0, loop, shared);
        shard.start();
        assumeTrue(loop.submit(shard::hasRing).get(60, TimeUnit.SECONDS), "no io_uring here");
        server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childOption(ChannelOption.SO_SNDBUF, 16 * 1024)
                // Never unwritable: a parked connection would be resumed instead.
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, new WriteBufferWaterMark(1 << 29, 1 << 30))
                .childOption(ChannelOption.ALLOCATOR, allocator)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.eventLoop().execute(() -> {
                            shard.open(channel, handshake());
                            opened.complete(null);
                        });
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
    }

    private Handshake handshake() {
        List<Handshake.Subscribe> subscribes = new ArrayList<>();
        for (int c = 0; c < CHANNELS; c++) {
            subscribes.add(new Handshake.Subscribe(new ChannelName("c" + c), null, -1));
        }
        return new Handshake(Identity.ANONYMOUS, format, subscribes);
    }

    @AfterEach
    void stop() throws Exception {
        if (shard != null) {
            shard.close();
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    @ParameterizedTest
    @EnumSource(
            value = Handshake.WireFormat.class,
            names = {"WEBSOCKET", "WEBSOCKET_DEFLATE"})
    void keepsTheOrderOfAConnectionWhoseSocketIsFullNowAndThen(Handshake.WireFormat wanted) throws Exception {
        // given: text of which compression leaves enough to fill a socket
        format = wanted;
        byte[] noise = new byte[PAYLOAD / 2];
        new Random(5).nextBytes(noise);
        String data = "\"" + HexFormat.of().formatHex(noise) + "\"";
        GatewayMetrics metrics = new GatewayMetrics();
        FanoutDispatcher dispatcher =
                new FanoutDispatcher(List.of(shard), allocator, 1 << 20, metrics, new FrameDeflater(1, 256));
        dispatcher.moveTo(new Tail("epoch000", new long[] {-1}, 1));
        try (Socket client = new Socket()) {
            client.setReceiveBufferSize(16 * 1024);
            client.connect(server.localAddress() instanceof InetSocketAddress a ? a : null, 5_000);
            client.setSoTimeout(60_000);
            opened.get(60, TimeUnit.SECONDS);
            CompletableFuture<List<Long>> read = CompletableFuture.supplyAsync(
                    () -> readAll(client), task -> Thread.ofVirtual().start(task));

            // when: as fast as it goes, while the client reads
            long offset = 0;
            for (int b = 0; b < BATCHES; b++) {
                dispatcher.begin();
                dispatcher.moved(0, offset + CHANNELS - 1);
                dispatcher.lookUp();
                for (int c = 0; c < CHANNELS; c++) {
                    dispatcher.record(Batches.record(0, offset++, "c" + c, data));
                }
                dispatcher.end(CHANNELS);
            }

            // then
            List<Long> offsets = read.get(60, TimeUnit.SECONDS);
            for (int i = 0; i < offsets.size(); i++) {
                assertThat(offsets.get(i)).isEqualTo(i);
            }
            assertThat(metrics.deflatedTo.sum() > 0).isEqualTo(wanted == Handshake.WireFormat.WEBSOCKET_DEFLATE);
        }
    }

    /** The offsets of the events in the order of their frames. */
    private static List<Long> readAll(Socket client) {
        List<Long> offsets = new ArrayList<>();
        try {
            DataInputStream in = new DataInputStream(client.getInputStream());
            while (offsets.size() < BATCHES * CHANNELS) {
                int opcode = in.readUnsignedByte();
                int length = in.readUnsignedByte();
                if (length == 126) {
                    length = in.readUnsignedShort();
                }
                byte[] payload = in.readNBytes(length);
                String text = new String(opcode == 0xc1 ? Deflated.inflate(payload) : payload, StandardCharsets.UTF_8);
                if ((opcode != 0x81 && opcode != 0xc1) || !text.startsWith("{\"op\":\"") || !text.endsWith("}")) {
                    throw new AssertionError("not a frame, after " + offsets.size() + " events: opcode " + opcode);
                }
                int at = text.indexOf("\"cursor\":\"epoch000.0.");
                if (text.startsWith("{\"op\":\"event\"")) {
                    int from = at + 21;
                    offsets.add(Long.parseLong(text.substring(from, text.indexOf('"', from))));
                }
            }
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        return offsets;
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.UnixChannel;
import java.io.DataInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The ring against real sockets: bytes whole and in order, and a full socket told. */
class SendRingTest {
    private static final int FRAME = 1000;

    private final BlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();
    private EventLoopGroup group;
    private Channel server;
    private SendRing ring;
    private final List<int[]> incomplete = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        assumeTrue(Epoll.isAvailable(), "no epoll here");
        group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        server = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel channel) {
                        channel.pipeline().addLast(new ChannelInboundHandlerAdapter());
                        accepted.add(channel);
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        ring = onLoop(() -> SendRing.open((tag, result) -> incomplete.add(new int[] {tag, result})));
        assumeTrue(ring != null, "no io_uring here");
    }

    @AfterEach
    void stop() throws Exception {
        if (ring != null) {
            onLoop(() -> {
                ring.close();
                return true;
            });
        }
        group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }

    @Test
    void sendsWholeFramesToManySocketsByOneSubmission() throws Exception {
        // given
        List<Socket> clients = new ArrayList<>();
        List<Channel> channels = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            clients.add(connect());
            channels.add(accepted.poll(60, TimeUnit.SECONDS));
        }
        ByteBuf frame = frame(7);

        // when
        onLoop(() -> {
            for (Channel c : channels) {
                ring.send(((UnixChannel) c).fd().intValue(), frame.memoryAddress(), FRAME, 0);
            }
            ring.flush();
            return true;
        });

        // then
        for (Socket client : clients) {
            byte[] got = new DataInputStream(client.getInputStream()).readNBytes(FRAME);
            assertThat(got).isEqualTo(bytes(7));
            client.close();
        }
        assertThat(incomplete).isEmpty();
        frame.release();
    }

    @Test
    void tellsWhatAFullSocketDidNotTakeSoThatNoByteIsLostOrDoubled() throws Exception {
        // given
        Socket client = connect();
        Channel channel = accepted.poll(60, TimeUnit.SECONDS);
        int fd = ((UnixChannel) channel).fd().intValue();

        // when: nobody reads until the socket is full
        int frames = onLoop(() -> {
            int n = 0;
            while (incomplete.isEmpty() && n < 1_000_000) {
                ByteBuf frame = frame(n);
                ring.send(fd, frame.memoryAddress(), FRAME, n++);
                ring.flush();
                frame.release();
            }
            int[] last = incomplete.getFirst();
            ByteBuf rest = frame(last[0]).skipBytes(Math.max(last[1], 0));
            var _ = channel.writeAndFlush(rest);
            return n;
        });

        // then
        assertThat(incomplete).hasSize(1);
        assertThat(incomplete.getFirst()[0]).isEqualTo(frames - 1);
        assertThat(incomplete.getFirst()[1]).isLessThan(FRAME);
        DataInputStream in = new DataInputStream(client.getInputStream());
        for (int i = 0; i < frames; i++) {
            assertThat(in.readNBytes(FRAME)).isEqualTo(bytes(i));
        }
        assertThat(in.available()).isZero();
        client.close();
    }

    @Test
    void aClosedPeerIsAResultNotAFault() throws Exception {
        // given
        Socket client = connect();
        Channel channel = accepted.poll(60, TimeUnit.SECONDS);
        client.setSoLinger(true, 0);
        client.close();
        channel.closeFuture().await(60, TimeUnit.SECONDS);
        ByteBuf frame = frame(1);

        // when
        onLoop(() -> {
            ring.send(-1, frame.memoryAddress(), FRAME, 3);
            ring.flush();
            return true;
        });

        // then
        assertThat(incomplete).hasSize(1);
        assertThat(incomplete.getFirst()[1]).isNegative();
        frame.release();
    }

    private Socket connect() throws Exception {
        Socket socket = new Socket();
        socket.connect(server.localAddress() instanceof InetSocketAddress a ? a : null, 5000);
        socket.setSoTimeout(60_000);
        return socket;
    }

    private <T> T onLoop(Callable<T> task) throws Exception {
        return group.next().submit(task).get(60, TimeUnit.SECONDS);
    }

    private static byte[] bytes(int seed) {
        byte[] b = new byte[FRAME];
        for (int i = 0; i < FRAME; i++) {
            b[i] = (byte) (seed * 31 + i);
        }
        return b;
    }

    private static ByteBuf frame(int seed) {
        return UnpooledByteBufAllocator.DEFAULT.directBuffer(FRAME).writeBytes(bytes(seed));
    }
}

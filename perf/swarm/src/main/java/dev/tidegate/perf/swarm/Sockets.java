package dev.tidegate.perf.swarm;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.IoHandle;
import io.netty.channel.IoHandler;
import io.netty.channel.IoHandlerContext;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.IoRegistration;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringSocketChannel;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The one event loop of a child, and sockets for it. */
final class Sockets implements AutoCloseable {
    /** A read takes up to this much; the buffer is freed before the next read, so there is one per loop. */
    private static final int READ_SIZE = 32 << 10;

    /** Receive buffer of a connection that will stop reading: small, so that the server feels it soon. */
    private static final int SLOW_RECEIVE_BUFFER = 16 << 10;

    private final Settings.Transport transport;
    private final EventLoopGroup group;
    private final FixedRecvByteBufAllocator reads = new FixedRecvByteBufAllocator(READ_SIZE);

    Sockets(Settings.Transport asked, int napMs) {
        transport = choose(asked);
        IoHandlerFactory factory = switch (transport) {
            case IO_URING -> IoUringIoHandler.newFactory();
            case EPOLL -> EpollIoHandler.newFactory();
            case NIO, AUTO -> NioIoHandler.newFactory();
        };
        IoHandlerFactory napping = napMs == 0 ? factory : executor -> new Napping(factory.newHandler(executor), napMs);
        ThreadFactory threads = r -> new Thread(r, "swarm-loop");
        group = new MultiThreadIoEventLoopGroup(1, threads, napping);
    }

    private static Settings.Transport choose(Settings.Transport asked) {
        return switch (asked) {
            case IO_URING -> {
                IoUring.ensureAvailability();
                yield asked;
            }
            case EPOLL -> {
                Epoll.ensureAvailability();
                yield asked;
            }
            case NIO -> asked;
            case AUTO -> Epoll.isAvailable() ? Settings.Transport.EPOLL : Settings.Transport.NIO;
        };
    }

    Settings.Transport transport() {
        return transport;
    }

    EventLoop loop() {
        return (EventLoop) group.iterator().next();
    }

    /** A socket, not yet registered. */
    Channel open(boolean slow) {
        Channel c = switch (transport) {
            case IO_URING -> new IoUringSocketChannel();
            case EPOLL -> new EpollSocketChannel();
            case NIO, AUTO -> new NioSocketChannel();
        };
        c.config().setOption(ChannelOption.TCP_NODELAY, true);
        c.config().setRecvByteBufAllocator(reads);
        if (transport == Settings.Transport.EPOLL) {
            c.config().setOption(EpollChannelOption.IP_BIND_ADDRESS_NO_PORT, true);
        }
        if (slow) {
            c.config().setOption(ChannelOption.SO_RCVBUF, SLOW_RECEIVE_BUFFER);
        }
        return c;
    }

    /** Closes with a reset, as a client does that is killed or loses its network: nothing lingers on either side. */
    static void reset(Channel c) {
        c.config().setOption(ChannelOption.SO_LINGER, 0);
        var _ = c.close();
    }

    @Override
    public void close() {
        var _ = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }

    /** Waits before it looks for input, where nothing else is to be done. */
    private static final class Napping implements IoHandler {
        private final IoHandler io;
        private final long nanos;

        Napping(IoHandler io, int napMs) {
            this.io = io;
            this.nanos = napMs * 1_000_000L;
        }

        @Override
        public int run(IoHandlerContext context) {
            if (context.canBlock()) {
                LockSupport.parkNanos(nanos);
            }
            return io.run(context);
        }

        @Override
        public void initialize() {
            io.initialize();
        }

        @Override
        public void prepareToDestroy() {
            io.prepareToDestroy();
        }

        @Override
        public void destroy() {
            io.destroy();
        }

        @Override
        public IoRegistration register(IoHandle handle) throws Exception {
            return io.register(handle);
        }

        @Override
        public void wakeup() {
            io.wakeup();
        }

        @Override
        public boolean isCompatible(Class<? extends IoHandle> handleType) {
            return io.isCompatible(handleType);
        }
    }
}

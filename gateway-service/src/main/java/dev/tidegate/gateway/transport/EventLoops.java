package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.config.InvalidSetting;
import dev.tidegate.gateway.config.TransportKind;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.uring.IoUring;
import io.netty.channel.uring.IoUringChannelOption;
import io.netty.channel.uring.IoUringIoHandler;
import io.netty.channel.uring.IoUringIoHandlerConfig;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.FastThreadLocalThread;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.NonBlocking;
import reactor.netty.resources.LoopResources;

/**
 * The event loops of the gateway: one group for accepting, for every connection and for the calls to other services, so
 * that a shard, its sockets and its replay calls share one thread. Epoll, io_uring or NIO, whichever works here. Reactor
 * Netty runs on them as its {@link LoopResources}; it finds the channel classes from the group.
 */
public final class EventLoops implements LoopResources, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EventLoops.class);

    /**
     * Submission entries of a ring. The writes of a batch to this many connections are submitted by one system call; a
     * larger batch takes a few. 64 bytes each per loop.
     */
    private static final int RING_SIZE = 4096;

    /** How long closing waits for what the loops still have to do. */
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private final TransportKind transport;
    private final MultiThreadIoEventLoopGroup group;
    private final List<EventLoop> loops;

    private EventLoops(TransportKind transport, MultiThreadIoEventLoopGroup group) {
        this.transport = transport;
        this.group = group;
        List<EventLoop> found = new ArrayList<>();
        for (EventExecutor e : group) {
            found.add((EventLoop) e);
        }
        this.loops = List.copyOf(found);
    }

    /**
     * Starts loops on the wanted transport; {@code AUTO} takes the first that works.
     *
     * @throws InvalidSetting if a transport was named and does not work here
     */
    public static EventLoops start(TransportKind wanted, int count) {
        EventLoops loops = switch (wanted) {
            case AUTO -> firstThatWorks(count);
            case IO_URING, EPOLL, NIO -> forced(wanted, count);
        };
        LOG.info("event loops: {} on {}", count, loops.transport);
        return loops;
    }

    private static EventLoops firstThatWorks(int count) {
        // Epoll first: an idle connection costs it less (no receive held in the kernel), and the broadcasts, which
        // io_uring
        // is better at, go through a ring of the shard's own whatever the transport (docs/adr/065).
        for (TransportKind kind : List.of(TransportKind.EPOLL, TransportKind.IO_URING)) {
            try {
                return open(kind, count);
            } catch (Exception | LinkageError e) {
                LOG.info("transport {} is not available here: {}", kind, reason(e));
            }
        }
        return open(TransportKind.NIO, count);
    }

    private static EventLoops forced(TransportKind kind, int count) {
        try {
            return open(kind, count);
        } catch (Exception | LinkageError e) {
            throw new InvalidSetting(
                    "tidegate.gateway.transport", kind, "one that works here; this one does not: " + reason(e));
        }
    }

    /** Opening is the test: a ring can be refused (memory limits, seccomp) although the kernel knows io_uring. */
    private static EventLoops open(TransportKind kind, int count) {
        AtomicInteger number = new AtomicInteger();
        ThreadFactory threads = r -> new LoopThread(r, "loop-" + number.getAndIncrement());
        return new EventLoops(kind, new MultiThreadIoEventLoopGroup(count, threads, handlers(kind)));
    }

    private static IoHandlerFactory handlers(TransportKind kind) {
        return switch (kind) {
            case IO_URING -> {
                IoUring.ensureAvailability();
                yield IoUringIoHandler.newFactory(new IoUringIoHandlerConfig().setRingSize(RING_SIZE));
            }
            case EPOLL -> {
                Epoll.ensureAvailability();
                yield EpollIoHandler.newFactory();
            }
            case NIO, AUTO -> NioIoHandler.newFactory();
        };
    }

    private static String reason(Throwable e) {
        Throwable deepest = e;
        for (int depth = 0; deepest.getCause() != null && depth < 10; depth++) {
            deepest = deepest.getCause();
        }
        return String.valueOf(deepest.getMessage());
    }

    /** What the loops run on; never {@code AUTO}. */
    public TransportKind transport() {
        return transport;
    }

    /**
     * The socket option that bounds how many bytes the kernel takes in ahead of what it can send (Linux,
     * {@code TCP_NOTSENT_LOWAT}); null on NIO, which has none.
     */
    @Nullable
    ChannelOption<Long> unsentOption() {
        return switch (transport) {
            case EPOLL -> EpollChannelOption.TCP_NOTSENT_LOWAT;
            case IO_URING -> IoUringChannelOption.TCP_NOTSENT_LOWAT;
            case NIO, AUTO -> null;
        };
    }

    /** The loops as a group. */
    public EventLoopGroup group() {
        return group;
    }

    /** The loops, in the group's order. */
    public List<EventLoop> loops() {
        return loops;
    }

    @Override
    public EventLoopGroup onServer(boolean useNative) {
        return group;
    }

    @Override
    public EventLoopGroup onServerSelect(boolean useNative) {
        return group;
    }

    @Override
    public EventLoopGroup onClient(boolean useNative) {
        return group;
    }

    @Override
    public boolean daemon() {
        return true;
    }

    @Override
    public Mono<Void> disposeLater(Duration quietPeriod, Duration timeout) {
        return Mono.create(
                sink -> group.shutdownGracefully(quietPeriod.toMillis(), timeout.toMillis(), TimeUnit.MILLISECONDS)
                        .addListener(done -> sink.success()));
    }

    /** Ends the loops and waits for it, a bounded time. */
    @Override
    public void close() {
        group.shutdownGracefully(0, CLOSE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                .awaitUninterruptibly(2 * CLOSE_TIMEOUT.toMillis());
    }

    /** A loop's thread; {@link NonBlocking} lets Reactor refuse to block it. */
    private static final class LoopThread extends FastThreadLocalThread implements NonBlocking {
        LoopThread(Runnable r, String name) {
            super(r, name);
            setDaemon(true);
        }
    }
}

package dev.tidegate.gateway.session;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.EventLoop;
import io.netty.channel.WriteBufferWaterMark;
import java.io.ByteArrayOutputStream;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayDeque;

/**
 * A channel without a network: what is flushed goes to {@link #take}, as far as the peer reads. A peer that reads
 * nothing fills the outbound buffer, as a full socket does. Inbound bytes wait while auto-read is off.
 */
final class SimChannel extends AbstractChannel {
    private static final ChannelMetadata METADATA = new ChannelMetadata(false);
    private static final SocketAddress ADDRESS = new InetSocketAddress(0);

    private final DefaultChannelConfig config = new DefaultChannelConfig(this);
    private final ByteArrayOutputStream wire = new ByteArrayOutputStream();
    private final ArrayDeque<ByteBuf> inbound = new ArrayDeque<>();
    private final SimLoop home;
    private boolean open = true;
    private boolean reading = true;

    SimChannel(SimLoop loop, ByteBufAllocator allocator, int lowWaterMark, int highWaterMark) {
        super(null);
        home = loop;
        config.setAllocator(allocator);
        config.setWriteBufferWaterMark(new WriteBufferWaterMark(lowWaterMark, highWaterMark));
        loop.run(() -> {
            var _ = loop.register(this);
        });
    }

    /** The bytes the peer has got since the last call. */
    byte[] take() {
        byte[] bytes = wire.toByteArray();
        wire.reset();
        return bytes;
    }

    boolean hasBytes() {
        return wire.size() > 0;
    }

    /** The peer stops reading, or goes on. */
    void setReading(boolean on) {
        reading = on;
        if (on && open) {
            home.run(() -> ((SimUnsafe) unsafe()).writable());
        }
    }

    /** The peer sends something. */
    void send(ByteBuf bytes) {
        inbound.add(bytes);
        deliver();
    }

    /** Brings in what the peer has sent, if the session reads. */
    void deliver() {
        home.run(() -> {
            boolean any = false;
            while (open && config.isAutoRead() && !inbound.isEmpty()) {
                any = true;
                pipeline().fireChannelRead(inbound.poll());
            }
            if (any) {
                pipeline().fireChannelReadComplete();
            }
        });
    }

    /** The connection breaks, or the peer closes it. */
    void disconnect0() {
        home.run(() -> unsafe().close(voidPromise()));
    }

    void dropInbound() {
        inbound.forEach(ByteBuf::release);
        inbound.clear();
    }

    @Override
    protected AbstractUnsafe newUnsafe() {
        return new SimUnsafe();
    }

    @Override
    protected boolean isCompatible(EventLoop loop) {
        return loop instanceof SimLoop;
    }

    @Override
    protected SocketAddress localAddress0() {
        return ADDRESS;
    }

    @Override
    protected SocketAddress remoteAddress0() {
        return ADDRESS;
    }

    @Override
    protected void doBind(SocketAddress localAddress) {
        throw new UnsupportedOperationException();
    }

    @Override
    protected void doDisconnect() {
        open = false;
    }

    @Override
    protected void doClose() {
        open = false;
    }

    @Override
    protected void doBeginRead() {
        // deliver() looks at auto-read itself
    }

    @Override
    protected void doWrite(ChannelOutboundBuffer in) {
        while (reading && in.current() instanceof ByteBuf buf) {
            byte[] bytes = new byte[buf.readableBytes()];
            buf.getBytes(buf.readerIndex(), bytes);
            wire.writeBytes(bytes);
            in.remove();
        }
    }

    @Override
    public ChannelConfig config() {
        return config;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public boolean isActive() {
        return open;
    }

    @Override
    public ChannelMetadata metadata() {
        return METADATA;
    }

    private final class SimUnsafe extends AbstractUnsafe {
        @Override
        public void connect(SocketAddress remoteAddress, SocketAddress localAddress, ChannelPromise promise) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected void flush0() {
            if (reading) {
                super.flush0();
            }
        }

        void writable() {
            super.flush0();
        }
    }
}

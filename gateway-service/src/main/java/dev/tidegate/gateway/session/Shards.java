package dev.tidegate.gateway.session;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/** The shards of a gateway, one per event loop of the server. Immutable after construction; any thread. */
public final class Shards implements SessionOpener, AutoCloseable {
    private final List<LoopShard> shards = new ArrayList<>();

    /** Shards for every loop of this group. */
    public Shards(EventLoopGroup group, LoopShard.Shared shared) {
        for (EventExecutor e : group) {
            shards.add(new LoopShard(shards.size(), (EventLoop) e, shared));
        }
        if (shards.size() > Long.SIZE) {
            throw new IllegalArgumentException("loops: " + shards.size() + " (expected: 1 to 64)");
        }
        for (LoopShard s : shards) {
            s.start();
        }
    }

    /** The shards in the order of their indexes. */
    public List<LoopShard> all() {
        return List.copyOf(shards);
    }

    @Override
    public void open(Channel channel, Handshake handshake) {
        for (LoopShard s : shards) {
            if (s.loop.inEventLoop()) {
                s.open(channel, handshake);
                return;
            }
        }
        throw new IllegalStateException("a channel of a foreign event loop");
    }

    /** Gives back what the shards hold outside of the heap; the loops go on. */
    @Override
    public void close() {
        for (LoopShard s : shards) {
            s.close();
        }
    }

    /**
     * Asks every client to reconnect elsewhere and closes its connection.
     *
     * @param spreadMs over how many milliseconds
     * @return whether all loops did so within five seconds more
     */
    public boolean drain(int spreadMs) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(shards.size());
        for (LoopShard s : shards) {
            s.drain(spreadMs, done);
        }
        return done.await(spreadMs + 5_000L, TimeUnit.MILLISECONDS);
    }
}

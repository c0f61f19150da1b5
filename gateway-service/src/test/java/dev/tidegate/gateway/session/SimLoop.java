package dev.tidegate.gateway.session;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.AbstractScheduledEventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/**
 * An event loop that is run by hand, one task at a time, on a clock that is set by hand. Netty's own embedded loop serves
 * one channel and runs until nothing is left; a shard has many channels, and what matters here is what happens between
 * two of its tasks. "In the loop" is whoever is inside {@link #step} or {@link #run}, so confinement is checked too.
 */
final class SimLoop extends AbstractScheduledEventExecutor implements EventLoop {
    private static SimLoop current;

    private final MockTicker ticker;
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private long taken;
    private long ended;

    SimLoop(MockTicker ticker) {
        this.ticker = ticker;
    }

    /** Runs one task; false if there is none. What a task throws is a failure of the test. */
    boolean step() {
        run(() -> fetchFromScheduledTaskQueue(tasks));
        Runnable task = tasks.poll();
        if (task == null) {
            return false;
        }
        run(task);
        ended++;
        return true;
    }

    /** Runs something as if it were the loop's thread. */
    void run(Runnable task) {
        SimLoop before = current;
        current = this;
        try {
            task.run();
        } finally {
            current = before;
        }
    }

    /** A mark that has been passed ({@link #passed}) once every task that was put in so far has run. */
    long mark() {
        return taken;
    }

    boolean passed(long mark) {
        return ended >= mark;
    }

    @Override
    public void execute(Runnable task) {
        taken++;
        tasks.add(task);
    }

    @Override
    protected boolean fetchFromScheduledTaskQueue(java.util.Queue<Runnable> into) {
        for (Runnable due = pollScheduledTask(ticker.nanoTime());
                due != null;
                due = pollScheduledTask(ticker.nanoTime())) {
            execute(due);
        }
        return true;
    }

    @Override
    public boolean inEventLoop() {
        return current == this;
    }

    @Override
    public boolean inEventLoop(Thread thread) {
        return current == this;
    }

    @Override
    public Ticker ticker() {
        return ticker;
    }

    @Override
    @Deprecated
    protected long getCurrentTimeNanos() {
        return ticker.nanoTime();
    }

    @Override
    public EventLoopGroup parent() {
        return null;
    }

    @Override
    public EventLoop next() {
        return this;
    }

    @Override
    public ChannelFuture register(Channel channel) {
        return register(new DefaultChannelPromise(channel, this));
    }

    @Override
    public ChannelFuture register(ChannelPromise promise) {
        promise.channel().unsafe().register(this, promise);
        return promise;
    }

    @Override
    @Deprecated
    public ChannelFuture register(Channel channel, ChannelPromise promise) {
        channel.unsafe().register(this, promise);
        return promise;
    }

    @Override
    public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Future<?> terminationFuture() {
        throw new UnsupportedOperationException();
    }

    @Override
    @Deprecated
    public void shutdown() {
        throw new UnsupportedOperationException();
    }

    @Override
    public boolean isShuttingDown() {
        return false;
    }

    @Override
    public boolean isShutdown() {
        return false;
    }

    @Override
    public boolean isTerminated() {
        return false;
    }

    @Override
    public boolean awaitTermination(long timeout, TimeUnit unit) {
        return false;
    }
}

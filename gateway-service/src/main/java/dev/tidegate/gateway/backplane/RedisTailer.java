package dev.tidegate.gateway.backplane;

import dev.tidegate.gateway.fanout.FallbackDispatcher;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.metrics.GatewayMetrics.CopyLoss;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the copies of events that come over Redis, on a thread of its own. What arrives is only looked at on Lettuce's
 * loop: a copy nobody here wants goes no further, any other one into a queue; when that is full, it is dropped and
 * counted, for Redis must not wait for us, and Kafka has the event. ADR 103.
 */
public final class RedisTailer implements Runnable, AutoCloseable {
    /** Where it stands; any thread may ask. */
    public enum State {
        /** Every partition's channel is subscribed to, and Redis answers. */
        LIVE,
        /** Some copies cannot come at the moment. */
        AWAY
    }

    /** Most copies in the queue. */
    private static final int QUEUE = 8192;

    /** Most bytes in the queue: the largest payloads fill it with 512 of them. */
    private static final int QUEUE_BYTES = 32 << 20;

    /** Most copies that are looked at under one lock. */
    private static final int TURN = 256;

    /** Longest and shortest wait for the next look. */
    private static final long LOOK_NANOS = 250_000_000L;

    private static final long PAUSE_NANOS = 1_000_000L;

    private static final Logger LOG = LoggerFactory.getLogger(RedisTailer.class);

    private final FallbackDispatcher dispatcher;
    private final GatewayMetrics metrics;
    private final RedisLinks links;
    private final BlockingQueue<byte[]> queue = new ArrayBlockingQueue<>(QUEUE);
    private final AtomicInteger queuedBytes = new AtomicInteger();
    private final Thread thread = new Thread(this, "redis-tailer");
    private volatile boolean running = true;

    /**
     * Not yet started.
     *
     * @param url of Redis, or of any node of a cluster
     * @param topic the fan-out topic, which the channels are named after
     */
    public RedisTailer(String url, String topic, FallbackDispatcher dispatcher, GatewayMetrics metrics) {
        this.dispatcher = dispatcher;
        this.metrics = metrics;
        this.links = new RedisLinks(url, topic, dispatcher::partitions, this::onMessage);
    }

    /** Starts looking for Redis, in the background. */
    public void start() {
        thread.start();
        links.start();
    }

    /** Where it stands. */
    public State state() {
        return links.live() ? State.LIVE : State.AWAY;
    }

    /** On Lettuce's loop: returns at once. */
    private void onMessage(byte[] message) {
        if (!dispatcher.wants(message)) {
            return;
        }
        if (queuedBytes.addAndGet(message.length) > QUEUE_BYTES || !queue.offer(message)) {
            queuedBytes.addAndGet(-message.length);
            metrics.copiesLost(CopyLoss.QUEUE_FULL).increment();
        }
    }

    @Override
    public void run() {
        List<byte[]> messages = new ArrayList<>(TURN);
        long wait = LOOK_NANOS;
        try {
            while (running) {
                byte[] first = queue.poll(wait, TimeUnit.NANOSECONDS);
                if (first != null) {
                    messages.add(first);
                    queue.drainTo(messages, TURN - 1);
                    messages.forEach(m -> queuedBytes.addAndGet(-m.length));
                }
                wait = Math.clamp(turn(messages), PAUSE_NANOS, LOOK_NANOS);
                messages.clear();
            }
        } catch (InterruptedException e) {
            LOG.debug("Redis tailer interrupted", e);
        }
    }

    private long turn(List<byte[]> messages) throws InterruptedException {
        try {
            return dispatcher.turn(messages);
        } catch (RuntimeException | OutOfMemoryError e) {
            // Ending the thread would leave a gateway without its fallback that says nothing of it.
            LOG.error("{} copies are dropped", messages.size(), e);
            metrics.copiesLost(CopyLoss.FAULT).add(messages.size());
            return LOOK_NANOS;
        }
    }

    @Override
    public void close() {
        running = false;
        links.close();
        thread.interrupt();
        try {
            thread.join(2_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

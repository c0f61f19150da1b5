package dev.tidegate.perf.swarm;

import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Publishes at a steady rate for a time, in a thread of its own: open loop, so that a system which slows down does not
 * slow its own measurement. Channels take turns in an order drawn from the seed.
 */
final class PublishRun {
    /** Nanoseconds between two looks whether it is to stop, once all that was due is published. */
    private static final long AFTERWARDS = 10_000_000;

    /** Events to each channel, at once, beside the steady rate. */
    private record Burst(int perChannel, CompletableFuture<Void> done) {}

    private final Publisher publisher;
    private final Published published;
    private final int[] order;
    private final double rate;
    private final double seconds;
    private final LinkedBlockingQueue<Burst> bursts = new LinkedBlockingQueue<>(16);
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final Thread thread;
    private volatile boolean stopped;

    /** Serves bursts until {@link #stop()}. */
    PublishRun(Publisher publisher, Published published, int channels, double rate, double seconds, long seed) {
        this.publisher = publisher;
        this.published = published;
        this.rate = rate;
        this.seconds = seconds;
        this.order = shuffled(channels, new Random(seed));
        this.thread = Thread.ofPlatform().name("publisher").daemon().start(this::run);
    }

    private static int[] shuffled(int n, Random random) {
        int[] out = new int[n];
        for (int i = 0; i < n; i++) {
            int j = random.nextInt(i + 1);
            out[i] = out[j];
            out[j] = i;
        }
        return out;
    }

    private void run() {
        try {
            long total = Math.round(rate * seconds);
            long start = System.nanoTime();
            for (long i = 0; i < total && !stopped; i++) {
                long due = start + (long) (i * 1e9 / rate);
                waitUntil(due);
                Histograms.record(published.lag, System.nanoTime() - due);
                publisher.publish(order[(int) (i % order.length)]);
            }
            waitUntil(start + (long) (seconds * 1e9));
            ended.complete(null);
            // A storm that began before the end may ask for its burst after it.
            while (!stopped) {
                waitUntil(System.nanoTime() + AFTERWARDS);
            }
        } catch (InterruptedException | RuntimeException e) {
            ended.completeExceptionally(e);
        }
    }

    /** Waits, and serves bursts meanwhile. */
    private void waitUntil(long due) throws InterruptedException {
        while (!stopped) {
            Burst b = bursts.poll();
            if (b != null) {
                burst(b);
            }
            long left = due - System.nanoTime();
            if (left <= 0) {
                return;
            }
            LockSupport.parkNanos(Math.min(left, 1_000_000));
        }
    }

    private void burst(Burst b) throws InterruptedException {
        for (int k = 0; k < b.perChannel; k++) {
            for (int channel : order) {
                publisher.publish(channel);
            }
        }
        b.done.complete(null);
    }

    /** Publishes so many events to each channel, as fast as they are taken; done when they have been handed over. */
    CompletableFuture<Void> burst(int perChannel) {
        Burst b = new Burst(perChannel, new CompletableFuture<>());
        bursts.add(b);
        return b.done;
    }

    /** Waits for the end; an exception of the publisher comes out here. */
    void await(double timeoutSeconds) throws Exception {
        ended.get((long) (timeoutSeconds * 1000), TimeUnit.MILLISECONDS);
    }

    void stop() {
        stopped = true;
        thread.interrupt();
    }
}

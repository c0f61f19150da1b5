package dev.tidegate.testsupport;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One direction of one connection: a reader takes bytes off a socket, a writer hands them on when their {@link Lane} lets them through. Between them
 * stand at most {@link #MOST_BYTES} bytes in {@link #MOST_CHUNKS} chunks; then the reader stops reading, and the sender feels what a sender
 * feels on a full line. So a delay of d seconds bounds the stream to {@code MOST_BYTES / d} bytes a second.
 */
final class LinkPipe {

    /** A second's worth of 256 KB/s at a delay of one second: more than any drill sends. */
    static final int MOST_BYTES = 256 * 1024;

    private static final int MOST_CHUNKS = 4_096;
    private static final int READ_BYTES = 16 * 1024;

    /** A throttled stream goes on in steps of so many a second, so that a narrow link trickles and does not jerk. */
    private static final int STEPS_PER_SECOND = 20;

    /** What was read at one time; {@code luck} is its share of the jitter. */
    private record Chunk(byte[] bytes, long readAt, double luck) {}

    private final Socket from;
    private final Socket to;
    private final Lane lane;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Deque<Chunk> waiting = new ArrayDeque<>();
    private int waitingBytes;
    private boolean finished;
    private boolean torn;

    private @Nullable Thread reader;
    private @Nullable Thread writer;

    LinkPipe(Socket from, Socket to, Lane lane) {
        this.from = from;
        this.to = to;
        this.lane = lane;
    }

    void start() {
        reader = Thread.ofVirtual().name("link-read").start(this::read);
        writer = Thread.ofVirtual().name("link-write").start(this::write);
    }

    /** Until both of its threads have ended. */
    void awaitEnd() throws InterruptedException {
        for (Thread thread : new Thread[] {reader, writer}) {
            if (thread != null) {
                thread.join();
            }
        }
    }

    /** A setting of the lane has changed. */
    void wake() {
        locked(() -> {});
    }

    /** What has been read is forgotten, and the receiver reads the end of the stream. */
    void finish() {
        locked(() -> {
            waiting.clear();
            waitingBytes = 0;
            finished = true;
        });
    }

    /** Ends at once, both sockets with a reset. */
    void tear() {
        locked(() -> {
            torn = true;
            waiting.clear();
        });
        Connection.reset(from);
        Connection.reset(to);
    }

    private void locked(Runnable change) {
        lock.lock();
        try {
            change.run();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    // ---- the reader ----

    private void read() {
        byte[] buffer = new byte[READ_BYTES];
        try {
            InputStream in = from.getInputStream();
            while (true) {
                int count = in.read(buffer, 0, awaitRoom());
                if (count < 0) {
                    locked(() -> finished = true);
                    return;
                }
                Chunk chunk = new Chunk(
                        Arrays.copyOf(buffer, count),
                        System.nanoTime(),
                        ThreadLocalRandom.current().nextDouble());
                locked(() -> {
                    // after finish() what still comes is of no interest to anybody
                    if (!finished && !torn) {
                        waiting.add(chunk);
                        waitingBytes += count;
                    }
                });
            }
        } catch (IOException reset) {
            tear();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            tear();
        }
    }

    /** Waits until there is room and says how many bytes to read at most. */
    private int awaitRoom() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            while (!torn && (waitingBytes >= MOST_BYTES || waiting.size() >= MOST_CHUNKS)) {
                changed.await();
            }
            return Math.clamp(MOST_BYTES - waitingBytes, 1, READ_BYTES);
        } finally {
            lock.unlock();
        }
    }

    // ---- the writer ----

    private void write() {
        try {
            OutputStream out = to.getOutputStream();
            while (true) {
                Chunk chunk = awaitDue();
                if (chunk == null) {
                    to.shutdownOutput();
                    return;
                }
                send(chunk.bytes(), out);
                locked(() -> waitingBytes = Math.max(0, waitingBytes - chunk.bytes().length));
            }
        } catch (IOException reset) {
            tear();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            tear();
        }
    }

    /**
     * The next chunk, once the lane is not frozen and the chunk's delay is over.
     *
     * @return null at the end of the stream
     */
    private @Nullable Chunk awaitDue() throws InterruptedException, IOException {
        lock.lockInterruptibly();
        try {
            while (true) {
                requireWhole();
                Chunk next = waiting.peek();
                if (lane.frozen || (next == null && !finished)) {
                    changed.await();
                    continue;
                }
                if (next == null) {
                    return null;
                }
                long due = next.readAt() + lane.delayNanos + (long) (lane.jitterNanos * next.luck());
                long left = due - System.nanoTime();
                if (left <= 0) {
                    waiting.remove();
                    return next;
                }
                changed.awaitNanos(left);
            }
        } finally {
            lock.unlock();
        }
    }

    private void send(byte[] bytes, OutputStream out) throws IOException, InterruptedException {
        int sent = 0;
        while (sent < bytes.length) {
            long rate = lane.bytesPerSecond;
            int step = bytes.length - sent;
            if (rate > 0) {
                step = Math.clamp(rate / STEPS_PER_SECOND, 1, step);
                awaitTurn(lane.reserve(step, rate));
            }
            out.write(bytes, sent, step);
            lane.bytes.addAndGet(step);
            sent += step;
        }
    }

    /** Until {@code when}, or until the lane is no longer throttled; longer while it is frozen. */
    private void awaitTurn(long when) throws InterruptedException, IOException {
        lock.lockInterruptibly();
        try {
            while (true) {
                requireWhole();
                long left = lane.bytesPerSecond > 0 ? when - System.nanoTime() : 0;
                if (lane.frozen) {
                    changed.await();
                } else if (left > 0) {
                    changed.awaitNanos(left);
                } else {
                    return;
                }
            }
        } finally {
            lock.unlock();
        }
    }

    private void requireWhole() throws IOException {
        if (torn) {
            throw new IOException("torn");
        }
    }
}

package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.transport.calls.ReplayCall.Pending;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Replay;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;

/**
 * The replay requests of one event loop: collected for a moment, sent together, answered on the same loop. Confined to
 * it.
 */
final class LoopReplay {
    /** How much of an error's body is read for its message. */
    private static final int MAX_ERROR_BYTES = 1024;

    /** A request waits for others at most eight windows: 24 ms with the shipped one. */
    private static final int MAX_DOUBLINGS = 3;

    /**
     * Bounds.
     *
     * @param window how long a request waits for others while no call is in flight; each that is doubles it
     * @param calls most calls in flight
     * @param queue most requests waiting for a call
     * @param batch most requests of one call; 1: each travels alone, and none share an answer
     */
    record Bounds(Duration window, int calls, int queue, int batch) {}

    private final EventLoop loop;
    private final HttpClient client;
    private final Bounds bounds;
    private final ReplayQueue queue;
    private final GatewayMetrics metrics;
    private final FrameBuffer body = new FrameBuffer(4096);
    private int inFlight;
    private boolean windowOpen;
    private boolean closed;

    LoopReplay(EventLoop loop, HttpClient client, Bounds bounds, GatewayMetrics metrics) {
        this.loop = loop;
        this.client = client;
        this.bounds = bounds;
        this.metrics = metrics;
        this.queue = new ReplayQueue(bounds.queue(), bounds.batch() > 1);
    }

    EventLoop loop() {
        return loop;
    }

    void add(Pending pending) {
        assert loop.inEventLoop();
        if (closed) {
            pending.fail("the gateway is shutting down");
            return;
        }
        if (pending.cancelled()) {
            return; // on its way here
        }
        metrics.replayRequests.increment();
        if (!queue.add(pending)) {
            metrics.replayRefused.increment();
            pending.fail("the queue of replay requests is full (" + bounds.queue() + ")");
            return;
        }
        if (queue.size() >= bounds.batch()) {
            send();
        } else if (!windowOpen && inFlight < bounds.calls()) {
            openWindow();
        }
        // Else a call that ends opens it.
    }

    /** Nobody waits for its answer any more: if it has not travelled, its room in the queue is free. */
    void cancel(Pending pending) {
        assert loop.inEventLoop();
        pending.cancel();
        queue.cancelled(pending);
    }

    /** Whoever is alone hardly waits; in a storm a call costs more than its requests, and fuller ones are worth a wait. */
    private void openWindow() {
        windowOpen = true;
        long nanos = bounds.window().toNanos() << Math.min(inFlight, MAX_DOUBLINGS);
        var _ = loop.schedule(this::windowCloses, nanos, TimeUnit.NANOSECONDS);
    }

    private void windowCloses() {
        windowOpen = false;
        send();
    }

    private void send() {
        while (inFlight < bounds.calls() && queue.size() > 0) {
            List<Pending> batch = queue.take(bounds.batch());
            if (!batch.isEmpty()) {
                inFlight++;
                metrics.replayCalls.increment();
                metrics.replayAsked.add(batch.size());
                new InFlight(batch).start();
            }
        }
    }

    private byte[] encode(List<Pending> batch) {
        Replay.encodeRequests(body.clear(), batch.stream().map(p -> p.request).toList());
        return body.toBytes();
    }

    /** Fails what waits and what comes; calls in flight end with the client's connections. */
    void close() {
        assert loop.inEventLoop();
        closed = true;
        for (Pending p : queue.take(Integer.MAX_VALUE)) {
            p.fail("the gateway is shutting down");
        }
    }

    /** One call, from sending to its one end. */
    private final class InFlight {
        private final ReplayCall call;
        private final byte[] requests;
        private boolean over;
        private @Nullable Disposable http;

        InFlight(List<Pending> batch) {
            this.call = new ReplayCall(batch);
            this.requests = encode(batch);
        }

        void start() {
            Disposable started = client.post()
                    .uri("/v1/replay")
                    // Made anew for each attempt: a connection that was closed while idle is tried once more.
                    .send(Mono.fromSupplier(() -> Unpooled.wrappedBuffer(requests)))
                    .response((response, content) -> {
                        int status = response.status().code();
                        return status == 200
                                ? content.doOnNext(this::bytes).then()
                                : content.aggregate()
                                        .asString(StandardCharsets.UTF_8)
                                        .defaultIfEmpty("")
                                        .flatMap(text -> Mono.error(refused(status, text)));
                    })
                    .subscribe(
                            nothing -> {},
                            failure -> onLoop(() -> end(CallFailures.told(failure))),
                            () -> onLoop(() -> end(null)));
            http = started;
            if (over) {
                started.dispose();
            }
        }

        private void bytes(ByteBuf bytes) {
            assert loop.inEventLoop();
            call.bytes(bytes);
            if (call.abandoned()) {
                end(null); // nobody waits for the rest: closing the connection tells the service
            }
        }

        private void end(@Nullable String failure) {
            if (over) {
                return;
            }
            over = true;
            if (failure == null) {
                call.ended();
            } else {
                call.failed("replay: " + failure);
            }
            Disposable h = http;
            if (h != null) {
                h.dispose();
            }
            inFlight--;
            if (queue.size() >= bounds.batch()) {
                send();
            } else if (queue.size() > 0 && !windowOpen) {
                openWindow();
            }
        }
    }

    private static IllegalStateException refused(int status, String body) {
        String shown = body.length() <= MAX_ERROR_BYTES ? body : body.substring(0, MAX_ERROR_BYTES);
        return new IllegalStateException("status " + status + (shown.isBlank() ? "" : ": " + shown));
    }

    private void onLoop(Runnable task) {
        if (loop.inEventLoop()) {
            task.run();
        } else {
            loop.execute(task);
        }
    }
}

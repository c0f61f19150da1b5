package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.session.DurableStore.Found;
import dev.tidegate.gateway.session.DurableStore.Stored;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.ProtocolException;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;

/**
 * The calls of one event loop about durable cursors: look-ups are collected for a moment and sent together, acknowledgements come in
 * batches already. Confined to the loop.
 */
final class LoopCursors {
    private static final Logger LOG = LoggerFactory.getLogger(LoopCursors.class);

    /** Most calls with look-ups in flight; a reconnect storm fills them with {@link DurableCursors#MAX_BATCH} each. */
    static final int MAX_FINDS = 4;

    /** At most one line a minute about failures. */
    private static final long COMPLAINT_NANOS = TimeUnit.MINUTES.toNanos(1);

    private record LookUp(CursorKey key, Consumer<Found> done) {}

    private final EventLoop loop;
    private final HttpClient client;
    private final long windowNanos;
    private final int maxQueue;
    private final ArrayDeque<LookUp> queue = new ArrayDeque<>(); // bounded by maxQueue
    private final FrameBuffer body = new FrameBuffer(4096);
    private int finds;
    private boolean windowOpen;
    private long complainedAt = System.nanoTime() - COMPLAINT_NANOS;

    LoopCursors(EventLoop loop, HttpClient client, Duration window, int maxQueue) {
        this.loop = loop;
        this.client = client;
        this.windowNanos = window.toNanos();
        this.maxQueue = maxQueue;
    }

    EventLoop loop() {
        return loop;
    }

    void run(Runnable task) {
        if (loop.inEventLoop()) {
            task.run();
        } else {
            loop.execute(task);
        }
    }

    void store(List<Ack> batch, Consumer<Stored> done) {
        DurableCursors.encodeAcks(body.clear(), batch);
        call("/v1/cursors/ack", body.toBytes(), (answer, failure) -> {
            if (failure != null) {
                done.accept(new Stored.Failed(failure.code(), failure.text()));
                return;
            }
            Stored stored;
            try {
                stored = new Stored.Done(DurableCursors.decodeStored(answer));
            } catch (ProtocolException e) {
                stored = new Stored.Failed(ErrorCode.UNAVAILABLE, "replay: an answer that is none: " + e.text());
            }
            done.accept(stored);
        });
    }

    void find(CursorKey key, Consumer<Found> done) {
        if (queue.size() >= maxQueue) {
            done.accept(new Found.Failed(
                    ErrorCode.UNAVAILABLE, "the queue of look-ups of durable cursors is full (" + maxQueue + ")"));
            return;
        }
        queue.add(new LookUp(key, done));
        if (queue.size() >= DurableCursors.MAX_BATCH) {
            send();
        } else if (!windowOpen && finds < MAX_FINDS) {
            windowOpen = true;
            var _ = loop.schedule(
                    () -> {
                        windowOpen = false;
                        send();
                    },
                    windowNanos,
                    TimeUnit.NANOSECONDS);
        }
        // Else a call that ends sends what waits.
    }

    private void send() {
        while (finds < MAX_FINDS && !queue.isEmpty()) {
            List<LookUp> batch = new ArrayList<>(Math.min(queue.size(), DurableCursors.MAX_BATCH));
            while (batch.size() < DurableCursors.MAX_BATCH && !queue.isEmpty()) {
                batch.add(queue.remove());
            }
            finds++;
            DurableCursors.encodeKeys(
                    body.clear(), batch.stream().map(LookUp::key).toList());
            call("/v1/cursors/find", body.toBytes(), (answer, failure) -> {
                finds--;
                found(batch, answer, failure);
                send();
            });
        }
    }

    private static void found(List<LookUp> batch, byte[] answer, @Nullable ProtocolException failure) {
        List<@Nullable Cursor> cursors = List.of();
        ProtocolException why = failure;
        if (why == null) {
            try {
                cursors = DurableCursors.decodeFound(answer);
                if (cursors.size() != batch.size()) {
                    why = new ProtocolException(
                            ErrorCode.UNAVAILABLE,
                            "replay: " + cursors.size() + " cursors for " + batch.size() + " look-ups");
                }
            } catch (ProtocolException e) {
                why = new ProtocolException(ErrorCode.UNAVAILABLE, "replay: an answer that is none: " + e.text());
            }
        }
        for (int i = 0; i < batch.size(); i++) {
            Found found;
            if (why != null) {
                found = new Found.Failed(why.code(), why.text());
            } else {
                Cursor cursor = cursors.get(i);
                found = cursor == null ? new Found.Never() : new Found.At(cursor);
            }
            batch.get(i).done().accept(found);
        }
    }

    /** One call; repeated once if its connection was closed while idle, which harms nothing: both calls are idempotent. */
    private void call(String path, byte[] request, BiConsumer<byte[], @Nullable ProtocolException> done) {
        var _ = client.post()
                .uri(path)
                .send(Mono.fromSupplier(() -> Unpooled.wrappedBuffer(request)))
                .responseSingle((response, content) -> content.asByteArray()
                        .defaultIfEmpty(new byte[0])
                        .map(bytes -> {
                            int status = response.status().code();
                            if (status != 200) {
                                throw ServiceProblem.read("replay", status, bytes);
                            }
                            return bytes;
                        }))
                .subscribe(
                        answer -> run(() -> done.accept(answer, null)),
                        e -> run(() -> done.accept(new byte[0], told(e))));
    }

    private ProtocolException told(Throwable e) {
        ProtocolException told = e instanceof ProtocolException p
                ? p
                : new ProtocolException(ErrorCode.UNAVAILABLE, "replay: " + CallFailures.told(e));
        long now = System.nanoTime();
        if (now - complainedAt >= COMPLAINT_NANOS) {
            complainedAt = now;
            LOG.warn("durable cursors cannot be stored or looked up: {} (told at most once a minute)", told.text());
        }
        return told;
    }
}

package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.InFlightLimit;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.server.reactive.ServerHttpRequest;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/**
 * Reads bodies within bounds: room is taken before the first byte is read and given back when the answer is known; a body
 * above the limit is refused by its length, or as soon as more has come, and never held.
 */
final class RequestBody {
    private static final byte[] EMPTY = new byte[0];

    private final InFlightLimit room;
    private final Duration timeout;
    private final Mono<byte[]> late;

    /** @param timeout how long a body may take to arrive whole */
    RequestBody(InFlightLimit room, Duration timeout) {
        this.room = room;
        this.timeout = timeout;
        this.late =
                Mono.error(new Refusal(new Problem(408, ErrorCode.BAD_REQUEST, "body: it did not arrive in time", 0)));
    }

    /** Where a request's room is: with the reader, with the work that its body was given to, or given back. */
    private enum Holder {
        READER,
        WORK,
        NOBODY
    }

    /**
     * Reads the body and gives it to {@code work}, whose outcome it returns. A publisher that goes away while its body is
     * read frees the room at once; one that goes away later does when Kafka has answered, since until then the memory is in use.
     */
    <T> Mono<T> read(ServerHttpRequest request, int maxBytes, Function<byte[], CompletableFuture<T>> work) {
        long declared = request.getHeaders().getContentLength();
        if (declared > maxBytes) {
            return Mono.error(EventFields.tooLarge(declared, maxBytes));
        }
        long size = declared < 0 ? maxBytes : declared;
        if (!room.tryAcquire(size)) {
            return Mono.error(new ProtocolException(
                    ErrorCode.RATE_LIMITED, "this instance has as many requests in flight as it takes"));
        }
        AtomicReference<Holder> holder = new AtomicReference<>(Holder.READER);
        Runnable readerLeaves = () -> {
            if (holder.compareAndSet(Holder.READER, Holder.NOBODY)) {
                room.release(size);
            }
        };
        return DataBufferUtils.join(request.getBody(), maxBytes)
                .map(RequestBody::bytes)
                .defaultIfEmpty(EMPTY)
                .onErrorMap(
                        DataBufferLimitException.class,
                        e -> new ProtocolException(
                                ErrorCode.TOO_LARGE, "body: more than " + maxBytes + " bytes (expected: at most that)"))
                .timeout(timeout, late, Schedulers.fromExecutorService(Responses.eventLoop(request)))
                .doOnError(e -> readerLeaves.run())
                .doOnCancel(readerLeaves)
                .flatMap(body -> {
                    if (!holder.compareAndSet(Holder.READER, Holder.WORK)) {
                        return Mono.empty(); // cancelled meanwhile: nobody waits for an answer
                    }
                    CompletableFuture<T> outcome;
                    try {
                        outcome = work.apply(body);
                    } catch (RuntimeException e) {
                        room.release(size);
                        return Mono.error(e);
                    }
                    return Mono.fromFuture(outcome.whenComplete((x, e) -> room.release(size)), true);
                });
    }

    private static byte[] bytes(DataBuffer buffer) {
        byte[] bytes = new byte[buffer.readableByteCount()];
        buffer.read(bytes);
        DataBufferUtils.release(buffer);
        return bytes;
    }
}

package dev.tidegate.replay.api;

import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.reactivestreams.Publisher;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.server.reactive.ServerHttpResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Writes a body chunk by chunk: the next is made when the one before is with the operating system, so at most one is held. */
final class Chunks {
    /** About the size of a chunk: large enough that its cost per event is small, small enough for a hundred slow readers. */
    static final int BYTES = 32 << 10;

    private Chunks() {}

    /**
     * Writes a body.
     *
     * @param next the next chunk, or nothing; not called again before that was written
     * @param done whether there is none after those that were asked for
     */
    static Mono<Void> write(ServerHttpResponse response, Supplier<Mono<byte[]>> next, BooleanSupplier done) {
        Flux<Publisher<DataBuffer>> chunks = Flux.generate(sink -> {
            if (done.getAsBoolean()) {
                sink.complete();
            } else {
                sink.next(Mono.defer(next).map(bytes -> response.bufferFactory().wrap(bytes)));
            }
        });
        return response.writeAndFlushWith(chunks);
    }
}

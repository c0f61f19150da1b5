package dev.tidegate.replay.api;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferFactory;
import org.springframework.http.server.reactive.ServerHttpResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Writes a body as its reader takes it. Reactor Netty asks for 128 buffers at a time and for more when half of them are with the
 * operating system, whatever their size ({@code MonoSendMany}); so the size is what bounds memory: chunks are cut into pieces of 8 KB,
 * and a reader that stands still has 1 MB of them, and the chunk that was made next.
 */
final class Chunks {
    /** About the size in which chunks are made: large enough that what it costs per event is small. */
    static final int BYTES = 32 << 10;

    private static final int PIECE = 8 << 10;

    private Chunks() {}

    /**
     * Writes a body.
     *
     * @param next the next chunk, or nothing; not asked for again before all of that was taken
     * @param done whether there is none after those that were asked for
     */
    static Mono<Void> write(ServerHttpResponse response, Supplier<Mono<byte[]>> next, BooleanSupplier done) {
        DataBufferFactory buffers = response.bufferFactory();
        Flux<DataBuffer> body = Mono.defer(next)
                .flatMapIterable(Chunks::pieces)
                .map(buffers::wrap)
                .repeat(() -> !done.getAsBoolean());
        return response.writeWith(body);
    }

    private static List<ByteBuffer> pieces(byte[] chunk) {
        List<ByteBuffer> pieces = new ArrayList<>(chunk.length / PIECE + 1);
        for (int at = 0; at < chunk.length; at += PIECE) {
            pieces.add(ByteBuffer.wrap(chunk, at, Math.min(PIECE, chunk.length - at))
                    .slice());
        }
        return pieces;
    }
}

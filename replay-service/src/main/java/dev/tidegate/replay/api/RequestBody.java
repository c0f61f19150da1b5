package dev.tidegate.replay.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.time.Duration;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.server.reactive.ServerHttpRequest;
import reactor.core.publisher.Mono;

/** Reads a whole body, bounded in bytes and time. */
final class RequestBody {
    private static final Duration WITHIN = Duration.ofSeconds(10);

    private RequestBody() {}

    /** The bytes; fails with {@link ProtocolException} {@code too_large} or {@code bad_request}. */
    static Mono<byte[]> read(ServerHttpRequest request, int maxBytes) {
        if (request.getHeaders().getContentLength() > maxBytes) {
            return Mono.error(tooLarge(maxBytes));
        }
        return DataBufferUtils.join(request.getBody(), maxBytes)
                .map(RequestBody::bytes)
                .defaultIfEmpty(new byte[0])
                .onErrorMap(DataBufferLimitException.class, e -> tooLarge(maxBytes))
                .timeout(
                        WITHIN,
                        Mono.error(() -> new ProtocolException(
                                ErrorCode.BAD_REQUEST,
                                "body: it did not arrive in time (expected: within " + WITHIN.toSeconds() + " s)")));
    }

    private static ProtocolException tooLarge(int maxBytes) {
        return new ProtocolException(
                ErrorCode.TOO_LARGE, "body: more than " + maxBytes + " bytes (expected: at most that)");
    }

    private static byte[] bytes(DataBuffer buffer) {
        byte[] bytes = new byte[buffer.readableByteCount()];
        buffer.read(bytes);
        DataBufferUtils.release(buffer);
        return bytes;
    }
}

package dev.tidegate.replay.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.config.ReplaySettings;
import java.time.Duration;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferLimitException;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.HttpStatus;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.server.ResponseStatusException;
import reactor.core.publisher.Mono;

/** Reads a whole body, bounded in bytes and time. */
final class RequestBody {
    private final int maxBytes;
    private final Mono<byte[]> late;
    private final Duration within;

    RequestBody(ReplaySettings.Admission bounds) {
        this.maxBytes = Math.toIntExact(bounds.maxBody().toBytes());
        this.within = bounds.bodyTimeout();
        this.late = Mono.error(
                () -> new ResponseStatusException(HttpStatus.REQUEST_TIMEOUT, "body: it did not arrive in time"));
    }

    /** The bytes; fails with {@link ProtocolException} {@code too_large}, or with 408. */
    Mono<byte[]> read(ServerHttpRequest request) {
        if (request.getHeaders().getContentLength() > maxBytes) {
            return Mono.error(tooLarge(maxBytes));
        }
        return DataBufferUtils.join(request.getBody(), maxBytes)
                .map(RequestBody::bytes)
                .defaultIfEmpty(new byte[0])
                .onErrorMap(DataBufferLimitException.class, e -> tooLarge(maxBytes))
                .timeout(within, late);
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

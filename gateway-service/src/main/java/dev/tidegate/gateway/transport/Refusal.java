package dev.tidegate.gateway.transport;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.ProtocolException;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpResponse;
import reactor.core.publisher.Mono;

/**
 * A handshake that is refused: problem details (RFC 9457) with the member {@code code} of the wire contract.
 *
 * @param status the HTTP status
 * @param code the wire contract's code
 * @param detail what is wrong and what is expected, for the person who sent it
 * @param headers further response headers
 */
record Refusal(int status, ErrorCode code, String detail, Map<String, String> headers) {
    /** Seconds over which refused clients are spread when they come back. */
    private static final int RETRY_SPREAD_SECONDS = 5;

    static Refusal of(ErrorCode code, String detail) {
        return new Refusal(
                code.httpStatus(),
                code,
                detail,
                code == ErrorCode.UNAUTHENTICATED ? Map.of(HttpHeaders.WWW_AUTHENTICATE, "Bearer") : Map.of());
    }

    static Refusal of(ProtocolException e) {
        return of(e.code(), e.text());
    }

    /** Not now: come back in a few seconds, not all in the same one. */
    static Refusal notNow(String detail) {
        int seconds = 1 + ThreadLocalRandom.current().nextInt(RETRY_SPREAD_SECONDS);
        return new Refusal(
                503, ErrorCode.UNAVAILABLE, detail, Map.of(HttpHeaders.RETRY_AFTER, Integer.toString(seconds)));
    }

    static Refusal badRequest(int status, String detail, Map<String, String> headers) {
        return new Refusal(status, ErrorCode.BAD_REQUEST, detail, headers);
    }

    /** Answers the exchange with it. */
    Mono<Void> write(ServerHttpResponse response) {
        response.setStatusCode(HttpStatusCode.valueOf(status));
        HttpHeaders h = response.getHeaders();
        headers.forEach(h::set);
        h.setContentType(MediaType.APPLICATION_PROBLEM_JSON);
        h.setCacheControl("no-store");
        FrameBuffer body = new FrameBuffer(256);
        body.ascii("{\"type\":\"about:blank\",\"title\":").jsonString(title());
        body.ascii(",\"status\":").number(status);
        body.ascii(",\"detail\":").jsonString(detail);
        body.ascii(",\"code\":").jsonString(code.wire()).raw('}');
        DataBuffer buffer = response.bufferFactory().wrap(body.toBytes());
        return response.writeWith(Mono.just(buffer));
    }

    private String title() {
        HttpStatus known = HttpStatus.resolve(status);
        return known == null ? "Refused" : known.getReasonPhrase();
    }
}

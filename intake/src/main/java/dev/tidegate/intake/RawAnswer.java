package dev.tidegate.intake;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FrameBuffer;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.charset.StandardCharsets;

/** Problem details (RFC 9457) for those whom no handler of a service gets to see. Stateless. */
final class RawAnswer {
    static final String MEDIA_TYPE = "application/problem+json";

    private RawAnswer() {}

    static byte[] problem(HttpResponseStatus status, ErrorCode code, String detail) {
        return new FrameBuffer(160)
                .ascii("{\"type\":\"about:blank\",\"title\":")
                .jsonString(status.reasonPhrase())
                .ascii(",\"status\":")
                .number(status.code())
                .ascii(",\"code\":")
                .jsonString(code.wire())
                .ascii(",\"detail\":")
                .jsonString(detail)
                .raw('}')
                .toBytes();
    }

    /** A whole answer, head included, after which the connection is closed; for where there is no HTTP codec yet. */
    static byte[] whole(HttpResponseStatus status, ErrorCode code, String detail, int retryAfterSeconds) {
        byte[] body = problem(status, code, detail);
        String head = "HTTP/1.1 " + status.code() + " " + status.reasonPhrase() + "\r\nContent-Type: " + MEDIA_TYPE
                + "\r\nContent-Length: " + body.length
                + (retryAfterSeconds > 0 ? "\r\nRetry-After: " + retryAfterSeconds : "")
                + "\r\nConnection: close\r\n\r\n";
        return (head + new String(body, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
    }
}

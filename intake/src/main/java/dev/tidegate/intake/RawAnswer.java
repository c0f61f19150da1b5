package dev.tidegate.intake;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProblemDetails;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.charset.StandardCharsets;

/** Answers for those whom no handler of a service gets to see. Stateless. */
final class RawAnswer {
    private RawAnswer() {}

    /** A whole answer, head included, after which the connection is closed; for where there is no HTTP codec yet. */
    static byte[] whole(HttpResponseStatus status, ErrorCode code, String detail, int retryAfterSeconds) {
        byte[] body = ProblemDetails.encode(status.code(), status.reasonPhrase(), code, detail);
        String head = "HTTP/1.1 " + status.code() + " " + status.reasonPhrase() + "\r\nContent-Type: "
                + ProblemDetails.MEDIA_TYPE
                + "\r\nContent-Length: " + body.length
                + (retryAfterSeconds > 0 ? "\r\nRetry-After: " + retryAfterSeconds : "")
                + "\r\nConnection: close\r\n\r\n";
        return (head + new String(body, StandardCharsets.UTF_8)).getBytes(StandardCharsets.UTF_8);
    }
}

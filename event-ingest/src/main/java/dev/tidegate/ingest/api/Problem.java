package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProblemDetails;
import dev.tidegate.protocol.ProtocolException;
import org.springframework.http.HttpStatus;

/**
 * An answer that is not a success, as problem details (RFC 9457) with the member {@code code} of the wire contract.
 *
 * @param status HTTP status
 * @param code which error; what a program decides by
 * @param detail for the person who sent the request: which field, and what was expected
 * @param retryAfterSeconds when to try again; 0 = not said
 */
record Problem(int status, ErrorCode code, String detail, int retryAfterSeconds) {
    /** Room comes free within the time of one acknowledgement. */
    static final int RETRY_WHEN_BUSY = 1;

    /** Kafka's return takes seconds. */
    static final int RETRY_WHEN_UNAVAILABLE = 2;

    static Problem of(ErrorCode code, String detail) {
        int retry = switch (code) {
            case UNAVAILABLE -> RETRY_WHEN_UNAVAILABLE;
            case RATE_LIMITED -> RETRY_WHEN_BUSY;
            default -> 0;
        };
        return new Problem(code.httpStatus(), code, detail, retry);
    }

    static Problem of(ProtocolException e) {
        return of(e.code(), e.text());
    }

    byte[] json() {
        HttpStatus known = HttpStatus.resolve(status);
        return ProblemDetails.encode(status, known == null ? "Error" : known.getReasonPhrase(), code, detail);
    }
}

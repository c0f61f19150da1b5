package dev.tidegate.replay.api;

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
 * @param retryAfterSeconds when to try again; 0: not said
 */
record Problem(int status, ErrorCode code, String detail, int retryAfterSeconds) {
    static Problem of(ProtocolException e) {
        return of(e.code(), e.text());
    }

    static Problem of(ErrorCode code, String detail) {
        // What is unavailable is waited for elsewhere already, or a place has to come free: both take about a second.
        return new Problem(code.httpStatus(), code, detail, code == ErrorCode.UNAVAILABLE ? 1 : 0);
    }

    byte[] json() {
        HttpStatus known = HttpStatus.resolve(status);
        return ProblemDetails.encode(status, known == null ? "Error" : known.getReasonPhrase(), code, detail);
    }
}

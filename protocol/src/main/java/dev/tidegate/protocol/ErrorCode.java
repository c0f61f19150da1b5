package dev.tidegate.protocol;

/**
 * The error codes of the wire contract: the same names in WebSocket {@code error} frames and, as member {@code code}, in
 * the problem details (RFC 9457) of every HTTP answer.
 */
public enum ErrorCode {
    BAD_REQUEST("bad_request", 400),
    UNAUTHENTICATED("unauthenticated", 401),
    FORBIDDEN("forbidden", 403),
    UNKNOWN_NAMESPACE("unknown_namespace", 404),
    CHANNEL_INVALID("channel_invalid", 400),
    NOT_SUBSCRIBED("not_subscribed", 409),
    ALREADY_SUBSCRIBED("already_subscribed", 409),
    CURSOR_INVALID("cursor_invalid", 400),
    LIMIT_EXCEEDED("limit_exceeded", 429),
    RATE_LIMITED("rate_limited", 429),
    TOO_LARGE("too_large", 413),
    UNSUPPORTED_MEDIA_TYPE("bad_request", 415),
    UNAVAILABLE("unavailable", 503),
    INTERNAL("internal", 500);

    private final String wire;
    private final int httpStatus;

    ErrorCode(String wire, int httpStatus) {
        this.wire = wire;
        this.httpStatus = httpStatus;
    }

    /** The name on the wire. */
    public String wire() {
        return wire;
    }

    /** The HTTP status that carries this code. */
    public int httpStatus() {
        return httpStatus;
    }
}

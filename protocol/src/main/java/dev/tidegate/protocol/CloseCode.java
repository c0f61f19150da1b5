package dev.tidegate.protocol;

/**
 * The WebSocket close codes Tidegate sends. The range of the number carries the rule for the client: 4000-4099 reconnect
 * with back-off, 4100-4199 do not reconnect (the idea is Centrifugo's).
 */
public enum CloseCode {
    NORMAL(1000, "normal"),
    GOING_AWAY(1001, "going away"),
    FRAME_TOO_LARGE(1009, "frame too large"),
    INTERNAL(1011, "internal error"),
    DRAIN(4001, "drain"),
    HEARTBEAT_MISSED(4002, "heartbeat missed"),
    CANNOT_KEEP_UP(4003, "cannot keep up"),
    TOO_SLOW(4004, "too slow"),
    BAD_FRAME(4100, "bad frame"),
    UNAUTHENTICATED(4101, "unauthenticated"),
    TOKEN_EXPIRED(4102, "token expired"),
    FORBIDDEN(4103, "forbidden"),
    LIMIT_EXCEEDED(4104, "limit exceeded");

    /** The longest reason a close frame can carry, in bytes of UTF-8 (RFC 6455, 5.5: 125 less the code's two). */
    public static final int MAX_REASON_BYTES = 123;

    private final int number;
    private final String defaultReason;

    CloseCode(int number, String defaultReason) {
        this.number = number;
        this.defaultReason = defaultReason;
    }

    /** The status code of the close frame. */
    public int number() {
        return number;
    }

    /** The reason sent when nothing more exact is known; ASCII, shorter than {@link #MAX_REASON_BYTES}. */
    public String defaultReason() {
        return defaultReason;
    }

    /** Whether a client that was closed with this code is to reconnect (with back-off). */
    public boolean reconnect() {
        return number < 4100 && this != NORMAL && this != FRAME_TOO_LARGE;
    }
}

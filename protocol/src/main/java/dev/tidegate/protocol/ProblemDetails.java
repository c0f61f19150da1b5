package dev.tidegate.protocol;

/**
 * The body of an HTTP answer that is not a success: problem details (RFC 9457) with the member {@code code} of the wire
 * contract. Stateless.
 */
public final class ProblemDetails {
    /** What such a body is declared as. */
    public static final String MEDIA_TYPE = "application/problem+json";

    private ProblemDetails() {}

    /**
     * Encodes one.
     *
     * @param status the HTTP status
     * @param title the status in words
     * @param code which error; what a program decides by
     * @param detail for the person who sent the request: which field, and what was expected
     */
    public static byte[] encode(int status, String title, ErrorCode code, String detail) {
        return new FrameBuffer(160)
                .ascii("{\"type\":\"about:blank\",\"title\":")
                .jsonString(title)
                .ascii(",\"status\":")
                .number(status)
                .ascii(",\"code\":")
                .jsonString(code.wire())
                .ascii(",\"detail\":")
                .jsonString(detail)
                .raw('}')
                .toBytes();
    }
}

package dev.tidegate.protocol;

/**
 * Input that breaks the wire contract, with the {@link ErrorCode} to answer with and a message for the person who sent
 * it: it names the field and the expectation. Carries no stack trace: it is an answer, not a fault, and hostile clients
 * choose how often it is made.
 */
public final class ProtocolException extends RuntimeException {
    private final ErrorCode code;

    public ProtocolException(ErrorCode code, String message) {
        super(message, null, false, false);
        this.code = code;
    }

    /** The code to answer with. */
    public ErrorCode code() {
        return code;
    }

    /** The message; never null. */
    public String text() {
        return String.valueOf(getMessage());
    }
}

package dev.tidegate.ingest.publish;

/** Why the service cannot start, in one line for the person who started it; waiting would not help. */
public final class StartFailure extends RuntimeException {
    public StartFailure(String message) {
        super(message, null, false, false);
    }
}

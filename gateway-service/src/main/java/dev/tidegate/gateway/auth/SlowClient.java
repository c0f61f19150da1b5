package dev.tidegate.gateway.auth;

/** What a namespace does with a subscription whose connection takes no more, until it drains. */
public enum SlowClient {
    /** Passes over what comes and replays it from the log once the connection drains: nothing is missed. */
    PARK("park"),
    /** Keeps the newest event of each subject and delivers those; what they took the place of is told as a gap. */
    CONFLATE("conflate"),
    /** Passes over what comes, tells it as a gap, and goes on live. */
    DROP("drop"),
    /** Closes the connection; the client comes back with its position. */
    DISCONNECT("disconnect");

    private final String text;

    SlowClient(String text) {
        this.text = text;
    }

    /** As it is configured, and named in metrics. */
    @Override
    public String toString() {
        return text;
    }
}

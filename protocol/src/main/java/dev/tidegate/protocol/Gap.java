package dev.tidegate.protocol;

/**
 * Events that cannot be replayed, told to the client.
 *
 * @param after the position the client had, as it spelled it
 * @param cursor where delivery goes on: everything of the channel after it follows
 */
public record Gap(Cursor after, Cursor cursor, Reason reason) {
    /** Why. */
    public enum Reason {
        /** Retention has removed them. */
        EXPIRED("expired"),
        /** The cursor is of a topic that is not this one: recreated, or foreign. */
        EPOCH("epoch"),
        /** A bound was reached. */
        OVERFLOW("overflow");

        private final String wire;

        Reason(String wire) {
            this.wire = wire;
        }

        /** The name on the wire. */
        public String wire() {
            return wire;
        }

        static Reason parse(String wire) {
            for (Reason r : values()) {
                if (r.wire.equals(wire)) {
                    return r;
                }
            }
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "reason: '" + wire + "' (expected: expired, epoch or overflow)");
        }
    }
}

package dev.tidegate.gateway.fanout;

/** What a namespace does with the copies of its events that come over Redis. */
public enum Delivery {
    /** Kafka's order; a copy is delivered only when Kafka stands still, and provisionally. */
    ORDERED,
    /** Whichever comes first. */
    FASTEST,
    /** There is nothing but the copy: at most once, no cursor, no history. */
    EPHEMERAL
}

package dev.tidegate.ingest.publish;

import org.jspecify.annotations.Nullable;

/**
 * What is known of the fan-out topic.
 *
 * @param status see {@link Status}
 * @param epoch the topic's epoch; null until it has been seen once, kept while Kafka is away
 * @param partitions how many it has; 0 until it has been seen
 * @param detail for people, one line
 */
public record TopicView(Status status, @Nullable String epoch, int partitions, String detail) {
    /** Whether events can be written. */
    public enum Status {
        /** Not seen since the start. */
        STARTING,
        /** Seen at the last look. */
        UP,
        /** Kafka did not answer the last look. */
        AWAY,
        /** Kafka answered: there is no such topic (any more). */
        MISSING,
        /** It was recreated with fewer partitions than configured: channels would lie elsewhere than readers expect. */
        TOO_FEW_PARTITIONS
    }
}

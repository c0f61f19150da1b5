package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import java.util.concurrent.CompletableFuture;

/** Kafka as {@link Deliveries} uses it; a port that tests replace. Any thread. */
public interface DirectPath {
    /** Writes an event; never blocks. */
    CompletableFuture<PublishOutcome> write(Event event, long millis);

    /** Whether a write would not have to wait for metadata. Asks for them if so. */
    boolean ready();

    /** Drops all that is not yet acknowledged, so that nothing of it is written later. May take some time. */
    void abort();

    /** Whether the last look at the topic succeeded. */
    boolean seen();

    /** Asks for another look, which is then {@link #seen}. */
    void lookAgain();

    /** The partition of an event. */
    int partition(Event event);
}

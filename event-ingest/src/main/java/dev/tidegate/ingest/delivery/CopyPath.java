package dev.tidegate.ingest.delivery;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.ingest.publish.PublishOutcome;
import java.util.concurrent.CompletableFuture;

/** Redis as {@link Deliveries} uses it; a port that tests replace. Any thread; never blocks. */
public interface CopyPath {
    /** Offers a copy of a durable event; nobody is told what becomes of it. */
    void copy(int partition, Event event, long millis);

    /** Sends an ephemeral event; completes within a bound. */
    CompletableFuture<PublishOutcome> send(int partition, Event event, long millis);
}

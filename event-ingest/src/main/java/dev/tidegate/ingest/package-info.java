/**
 * event-ingest: takes events over HTTP, checks and deduplicates them, and writes the fan-out topic. Read in this order:
 * {@code api} (the calls), {@code admission} (what is let in), {@code publish} (Kafka). {@link
 * dev.tidegate.ingest.IngestConfiguration} puts the parts together.
 */
@NullMarked
package dev.tidegate.ingest;

import org.jspecify.annotations.NullMarked;

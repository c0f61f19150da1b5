/**
 * The spool: events that wait in PostgreSQL until Kafka can be written. {@link dev.tidegate.ingest.spool.SpoolWriter} puts
 * them there, {@link dev.tidegate.ingest.spool.SpoolWatch} knows what is there and holds the floor, each on a thread and a
 * connection of its own; {@link dev.tidegate.ingest.spool.SpoolTable} is what the relay takes them from.
 */
@NullMarked
package dev.tidegate.ingest.spool;

import org.jspecify.annotations.NullMarked;

/**
 * The relay: rows of a table go into the fan-out topic, once and in order (ADR 113). A thread of its own for each table,
 * which blocks on PostgreSQL and Kafka in turn.
 */
@NullMarked
package dev.tidegate.ingest.relay;

import org.jspecify.annotations.NullMarked;

/**
 * PostgreSQL as this service uses it: schema {@code ingest}, sessions of one thread each. Everything here blocks its caller,
 * which is a thread of its own, never an event loop.
 */
@NullMarked
package dev.tidegate.ingest.postgres;

import org.jspecify.annotations.NullMarked;

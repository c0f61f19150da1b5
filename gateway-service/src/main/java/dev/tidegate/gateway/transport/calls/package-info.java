/**
 * Calls to the other services: missed events from replay, client publishes to ingest. They run on the gateway's own event
 * loops, so that what belongs to a session never leaves its thread.
 */
@NullMarked
package dev.tidegate.gateway.transport.calls;

import org.jspecify.annotations.NullMarked;

/**
 * The copies of events on Redis Pub/Sub, and the events that go there only. Called from any thread, never blocks it,
 * completes on Redis' client threads. The only package beside {@code admission} that knows Redis.
 */
@NullMarked
package dev.tidegate.ingest.fallback;

import org.jspecify.annotations.NullMarked;

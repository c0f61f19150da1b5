/**
 * Where an event goes: to Kafka, to Redis, or both. Called from any thread, never blocks it. Knows neither HTTP nor any
 * client library.
 */
@NullMarked
package dev.tidegate.ingest.delivery;

import org.jspecify.annotations.NullMarked;

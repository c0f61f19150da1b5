/**
 * Moves records that a foreign producer wrote into the wrong partition of the fan-out topic to the right one (ADR 023).
 * One consumer thread, that of the listener container; knows neither HTTP nor Redis.
 */
@NullMarked
package dev.tidegate.ingest.rehome;

import org.jspecify.annotations.NullMarked;

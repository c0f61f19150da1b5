/**
 * The settings of this service: immutable records, checked while they are bound, read by any thread. Every name, default
 * and range stands here; {@code docs/event-ingest.md} explains them.
 */
@NullMarked
package dev.tidegate.ingest.config;

import org.jspecify.annotations.NullMarked;

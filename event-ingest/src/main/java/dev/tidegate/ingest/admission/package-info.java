/**
 * Decides what comes in: who it is ({@link dev.tidegate.ingest.admission.Authenticator}), whether it may
 * ({@link dev.tidegate.ingest.admission.PublishPolicy}), whether there is room
 * ({@link dev.tidegate.ingest.admission.InFlightLimit}), and whether it has been here before
 * ({@link dev.tidegate.ingest.admission.IdempotencyKeys}). Any thread; nothing blocks. Knows neither HTTP nor Kafka.
 */
@NullMarked
package dev.tidegate.ingest.admission;

import org.jspecify.annotations.NullMarked;

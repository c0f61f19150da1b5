/**
 * Everything that talks to Kafka: the tail that fills the recent log (one thread), the watch over the topic's identity and
 * bounds, and shared scans of what memory does not hold (reactor-kafka, its only user).
 */
@NullMarked
package dev.tidegate.replay.kafka;

import org.jspecify.annotations.NullMarked;

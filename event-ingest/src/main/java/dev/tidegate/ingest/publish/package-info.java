/**
 * Writes events to the fan-out topic. {@link dev.tidegate.ingest.publish.FanoutTopic} makes the topic and watches its
 * identity on a virtual thread of its own; {@link dev.tidegate.ingest.publish.FanoutPublisher} is called from any thread,
 * never blocks it, and completes its answers on the Kafka producer's thread. Knows neither HTTP nor Redis.
 */
@NullMarked
package dev.tidegate.ingest.publish;

import org.jspecify.annotations.NullMarked;

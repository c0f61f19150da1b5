/**
 * The last part of every partition, in memory outside the heap, chained per channel: what a client missed is found by
 * walking its own channel, however much else was written since. Written by one thread, read by any. Knows neither Kafka
 * nor Spring.
 */
@NullMarked
package dev.tidegate.replay.recent;

import org.jspecify.annotations.NullMarked;

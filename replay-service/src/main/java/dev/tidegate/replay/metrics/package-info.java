/**
 * What the service counts: plain counters that any thread adds to, and their names for Prometheus.
 */
@NullMarked
package dev.tidegate.replay.metrics;

import org.jspecify.annotations.NullMarked;

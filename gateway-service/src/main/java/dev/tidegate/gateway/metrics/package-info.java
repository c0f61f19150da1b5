/** What the gateway counts. Counters only; the edge binds them to the meter registry. */
@NullMarked
package dev.tidegate.gateway.metrics;

import org.jspecify.annotations.NullMarked;

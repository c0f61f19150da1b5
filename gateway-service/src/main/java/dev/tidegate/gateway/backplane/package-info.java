/**
 * The tail of the fan-out topic: one plain consumer loop on a thread of its own.
 */
@NullMarked
package dev.tidegate.gateway.backplane;

import org.jspecify.annotations.NullMarked;

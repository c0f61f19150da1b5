/**
 * Durable cursors in PostgreSQL: stored and found in batches for gateways, listed and deleted for operators, forgotten after their
 * time. Any thread; nothing blocks.
 */
@NullMarked
package dev.tidegate.replay.cursors;

import org.jspecify.annotations.NullMarked;

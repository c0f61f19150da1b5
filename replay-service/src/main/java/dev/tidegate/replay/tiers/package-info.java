/**
 * One request's answer across the tiers, without hole or repeat: memory where it reaches, Kafka behind it, and what is
 * gone told as a gap.
 */
@NullMarked
package dev.tidegate.replay.tiers;

import org.jspecify.annotations.NullMarked;

/**
 * One request's place in a read of a slow tier (Kafka, the archive): what is wanted, and what was found and not yet taken. The tier's
 * thread puts in, the answer's takes out.
 */
@NullMarked
package dev.tidegate.replay.reads;

import org.jspecify.annotations.NullMarked;

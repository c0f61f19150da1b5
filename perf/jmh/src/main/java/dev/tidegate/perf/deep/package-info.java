/**
 * Replay by depth: how long a client that missed a few events of a quiet channel in a huge topic waits for them, by the tier that has them,
 * and what archiving costs. Against a running Kafka and PostgreSQL, with replay services started as children.
 */
@NullMarked
package dev.tidegate.perf.deep;

import org.jspecify.annotations.NullMarked;

/**
 * Many WebSocket clients in few processes, which check what they receive against what was published. A parent process
 * ({@link dev.tidegate.perf.swarm.Coordinator}) publishes, disturbs, samples and judges; its children
 * ({@link dev.tidegate.perf.swarm.Swarm}) hold the connections, each child on one event loop: everything of a child but the
 * reading of its commands runs there, in plain fields.
 *
 * <p>Nothing here uses the product's own code: the contract is read a second time, so that a mistake in {@code protocol}
 * cannot hide itself.
 */
@NullMarked
package dev.tidegate.perf.swarm;

import org.jspecify.annotations.NullMarked;

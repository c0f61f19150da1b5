/**
 * Users of the system as Gatling plays them (ADR 062): each simulation connects virtual users, publishes over HTTP, and
 * lets every user check its own {@code prev} chain. The users of a simulation share one {@link dev.tidegate.perf.gatling.Stage}
 * and run on Gatling's threads.
 */
@NullMarked
package dev.tidegate.perf.gatling;

import org.jspecify.annotations.NullMarked;

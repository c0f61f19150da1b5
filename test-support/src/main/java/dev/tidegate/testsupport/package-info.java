/**
 * What tests of several modules need: backends to run against, services as processes that can be killed, and a client that checks the promise of
 * the product on every frame it gets.
 *
 * <p>Independent of the services and of {@code protocol} on purpose: {@link dev.tidegate.testsupport.TidegateClient} reads the public wire contract
 * with a JSON parser of its own, so that a mistake in our code cannot hide itself.
 */
@NullMarked
package dev.tidegate.testsupport;

import org.jspecify.annotations.NullMarked;

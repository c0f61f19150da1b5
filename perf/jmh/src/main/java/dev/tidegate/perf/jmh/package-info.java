/**
 * Micro-benchmarks of the hot paths (ADR 063). Benchmarks use public types only, so that the services may change their
 * insides without breaking a ruler. Each benchmark's state belongs to one thread.
 */
@NullMarked
package dev.tidegate.perf.jmh;

import org.jspecify.annotations.NullMarked;

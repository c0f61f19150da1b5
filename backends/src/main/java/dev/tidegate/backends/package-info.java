/**
 * Kafka, Redis and PostgreSQL as a newcomer, a failure drill or a test needs them: small, on loopback, in one data folder, gone when their
 * owner is gone.
 *
 * <p>Kafka runs in this JVM ({@link dev.tidegate.backends.EmbeddedKafka}); Redis and PostgreSQL are native programs under a
 * {@link dev.tidegate.backends.GuardedProcess}. {@link dev.tidegate.backends.DataFolder} says who owns what on disk. Nothing here knows the
 * services, so that both {@code standalone} and {@code test-support} can stand on it (ADR 010).
 *
 * <p>Threads: every method may block and may be called from any thread; starting and stopping one backend is the business of one thread.
 */
@NullMarked
package dev.tidegate.backends;

import org.jspecify.annotations.NullMarked;

/**
 * PostgreSQL, as far as every service that stores something in it must agree: how its address is written
 * ({@link dev.tidegate.postgres.PostgresServer}) and how a schema is brought up to date ({@link dev.tidegate.postgres.Schema}). When
 * to try that, what waits for it, and how statements are run are the services' own. Any thread; only
 * {@link dev.tidegate.postgres.Schema#migrate} blocks. The only package that knows JDBC and Flyway.
 */
@NullMarked
package dev.tidegate.postgres;

import org.jspecify.annotations.NullMarked;

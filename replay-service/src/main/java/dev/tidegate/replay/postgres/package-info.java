/**
 * PostgreSQL, for whoever stores something in schema {@code replay}: the connection pool (R2DBC), and the migrations (Flyway over
 * JDBC, in the background, repeated until they succeed). The only package that knows JDBC. A PostgreSQL that is away never stops a
 * start; what needs it fails with {@code unavailable} at once.
 */
@NullMarked
package dev.tidegate.replay.postgres;

import org.jspecify.annotations.NullMarked;

/**
 * PostgreSQL, for whoever stores something in schema {@code replay}: the connection pool (R2DBC), and the migrations (in
 * the background, repeated until they succeed). A PostgreSQL that is away never stops a start; what needs it fails with
 * {@code unavailable} at once.
 */
@NullMarked
package dev.tidegate.replay.postgres;

import org.jspecify.annotations.NullMarked;

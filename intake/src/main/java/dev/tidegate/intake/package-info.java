/**
 * What the HTTP servers of all services do with a connection before there is a request, and with requests that never become
 * ones: bounds in time and number, and refusals that look like all others. On the connection's event loop.
 */
@NullMarked
package dev.tidegate.intake;

import org.jspecify.annotations.NullMarked;

/**
 * The HTTP calls of this service. Requests are read and answered on their connection's event loop; nothing here blocks it.
 * The order in which a request is judged: path and channel, publisher, permission, headers, room, body; so a body is read
 * only if nothing else is wrong.
 */
@NullMarked
package dev.tidegate.ingest.api;

import org.jspecify.annotations.NullMarked;

/**
 * What a client missed: buffer live events, fetch from the replay service, splice. Confined to the client's event loop.
 */
@NullMarked
package dev.tidegate.gateway.resume;

import org.jspecify.annotations.NullMarked;

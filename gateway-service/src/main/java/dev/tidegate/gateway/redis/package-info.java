/** Where Redis is: which servers a URL names, and how a client follows a cluster. Immutable but for a counter; any thread. */
@NullMarked
package dev.tidegate.gateway.redis;

import org.jspecify.annotations.NullMarked;

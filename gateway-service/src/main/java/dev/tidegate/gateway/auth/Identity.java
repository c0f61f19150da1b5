package dev.tidegate.gateway.auth;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who a connection belongs to. Immutable and shared: connections of anonymous clients share one.
 *
 * @param subject the authenticated subject, or null for an anonymous client
 * @param expiresAtMillis when the token ends, milliseconds since the epoch; {@link Long#MAX_VALUE} if never
 * @param subscribe channel patterns (exact, or a prefix ending in {@code *}) that may be subscribed to; null = all that
 *     are not personal
 * @param publish the same for publishing
 */
public record Identity(
        @Nullable String subject,
        long expiresAtMillis,
        @Nullable List<String> subscribe,
        @Nullable List<String> publish) {
    /** A client that gave no token. */
    public static final Identity ANONYMOUS = new Identity(null, Long.MAX_VALUE, null, null);
}

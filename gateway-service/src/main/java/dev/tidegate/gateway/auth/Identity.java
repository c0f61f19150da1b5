package dev.tidegate.gateway.auth;

import dev.tidegate.tokens.ChannelPatterns;
import org.jspecify.annotations.Nullable;

/**
 * Who a connection belongs to. Immutable and shared: connections without a token share one.
 *
 * @param subject the authenticated subject, or null for an anonymous client
 * @param expiresAtMillis when the token ends, milliseconds since the epoch; {@link Long#MAX_VALUE} if never
 * @param subscribe channels that may be subscribed to; null = all that are not personal
 * @param publish the same for publishing
 */
public record Identity(
        @Nullable String subject,
        long expiresAtMillis,
        @Nullable ChannelPatterns subscribe,
        @Nullable ChannelPatterns publish) {
    /** A client that gave no token, where the configuration lets it stay without one. */
    public static final Identity ANONYMOUS = new Identity(null, Long.MAX_VALUE, null, null);

    /**
     * A client that gave no token where one is needed: it may do nothing but {@code connect} (and {@code ping}), and has
     * {@code tidegate.gateway.connect-timeout} for it. Compared by identity; see {@link #identified()}.
     */
    public static final Identity UNIDENTIFIED =
            new Identity(null, Long.MAX_VALUE, ChannelPatterns.NOTHING, ChannelPatterns.NOTHING);

    /** Whether this is a client that may go on: false only for {@link #UNIDENTIFIED}. */
    @SuppressWarnings("ReferenceEquality") // one constant by intent: no token can make an equal one
    public boolean identified() {
        return this != UNIDENTIFIED;
    }
}

package dev.tidegate.tokens;

import org.jspecify.annotations.Nullable;

/**
 * What a good token says. Immutable.
 *
 * @param subject {@code sub}, 1 to 255 characters
 * @param expiresAtMillis when it ends, clock skew granted, milliseconds since the epoch; {@link Long#MAX_VALUE} if never
 * @param subscribe channels that may be subscribed to and read; null = all that are not personal
 * @param publish the same for publishing
 */
public record TokenClaims(
        String subject,
        long expiresAtMillis,
        @Nullable ChannelPatterns subscribe,
        @Nullable ChannelPatterns publish) {}

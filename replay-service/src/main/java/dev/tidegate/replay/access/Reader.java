package dev.tidegate.replay.access;

import dev.tidegate.tokens.ChannelPatterns;
import org.jspecify.annotations.Nullable;

/**
 * Who reads.
 *
 * @param subject the authenticated subject, or null for somebody without a token
 * @param expiresAtMillis when the token ends, milliseconds since the epoch
 * @param subscribe channels that may be read; null = every channel that is not personal
 */
public record Reader(
        @Nullable String subject,
        long expiresAtMillis,
        @Nullable ChannelPatterns subscribe) {
    /** Somebody without a token. */
    public static final Reader ANONYMOUS = new Reader(null, Long.MAX_VALUE, null);
}

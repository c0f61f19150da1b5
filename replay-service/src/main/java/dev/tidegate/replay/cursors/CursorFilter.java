package dev.tidegate.replay.cursors;

import org.jspecify.annotations.Nullable;

/**
 * Which cursors: those that match all that is given.
 *
 * @param subject null: of every subject
 * @param durable null: under every name
 * @param channel null: of every channel
 */
public record CursorFilter(
        @Nullable String subject,
        @Nullable String durable,
        @Nullable String channel) {}

package dev.tidegate.testsupport;

import org.jspecify.annotations.Nullable;

/**
 * An event as a client got it, the first time.
 *
 * @param cursor null for a provisional one
 * @param data the JSON text of {@code data}, or the {@code data64} string
 * @param replay whether it was marked as replayed
 * @param receivedNanos {@link System#nanoTime()} at its arrival
 */
public record ReceivedEvent(
        String channel,
        String id,
        @Nullable Position cursor,
        @Nullable String type,
        long time,
        String data,
        boolean replay,
        long receivedNanos) {}

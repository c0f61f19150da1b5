package dev.tidegate.gateway.resume;

import dev.tidegate.protocol.Cursor;

/**
 * An event out of the log.
 *
 * @param frame the whole frame, ready to be sent on; others may be sent the same array
 */
public record Replayed(Cursor cursor, byte[] frame) {}

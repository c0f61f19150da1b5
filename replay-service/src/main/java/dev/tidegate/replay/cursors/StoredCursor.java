package dev.tidegate.replay.cursors;

import dev.tidegate.protocol.Cursor;

/**
 * A durable cursor as an operator sees it.
 *
 * @param channel as it was stored: a later version of the contract may know other names
 * @param acknowledgedMillis when it was acknowledged last, milliseconds since the epoch
 */
public record StoredCursor(String subject, String durable, String channel, Cursor cursor, long acknowledgedMillis) {}

package dev.tidegate.ingest.relay;

import dev.tidegate.ingest.publish.Event;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/**
 * A row that waits to be relayed.
 *
 * @param seq its number in its table
 * @param event what it holds
 * @param millis the time stamp that its record gets
 */
public record RelayRow(long seq, Event event, long millis) {
    private static final int DIGEST_CHARACTERS = 16;

    /** Tells this row from another that has its number, say in a database that was restored from a backup. */
    public String digest() {
        return digest(seq, event.id(), millis);
    }

    /** The digest of a row of which this is known: 96 bits of SHA-256. */
    public static String digest(long seq, String eventId, long millis) {
        try {
            MessageDigest sha = MessageDigest.getInstance("SHA-256");
            sha.update(ByteBuffer.allocate(2 * Long.BYTES)
                    .putLong(seq)
                    .putLong(millis)
                    .array());
            byte[] digest = sha.digest(eventId.getBytes(StandardCharsets.UTF_8));
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(digest)
                    .substring(0, DIGEST_CHARACTERS);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is required of every Java platform", e);
        }
    }
}

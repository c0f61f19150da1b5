package dev.tidegate.protocol;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;

/**
 * The epoch of a fan-out topic: eight URL-safe characters derived from Kafka's topic id, so that a cursor of a recreated
 * or foreign topic is never mistaken for one of this topic. 48 bits of SHA-256: two topics of one user collide with a
 * probability of 2^-48.
 */
public final class Epoch {
    /** Length of an epoch in characters. */
    public static final int LENGTH = 8;

    private Epoch() {}

    /** The epoch of the topic whose id (a UUID) has these two halves. */
    public static String of(long topicIdMostSignificant, long topicIdLeastSignificant) {
        try {
            byte[] id = ByteBuffer.allocate(16)
                    .putLong(topicIdMostSignificant)
                    .putLong(topicIdLeastSignificant)
                    .array();
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(id);
            byte[] six = new byte[6];
            System.arraycopy(digest, 0, six, 0, six.length);
            return Base64.getUrlEncoder().withoutPadding().encodeToString(six);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is required of every Java platform", e);
        }
    }

    /** Whether this is an epoch: one to sixteen characters of the URL-safe Base64 alphabet. */
    static boolean isValid(CharSequence s, int from, int to) {
        if (to - from < 1 || to - from > 16) {
            return false;
        }
        for (int i = from; i < to; i++) {
            char c = s.charAt(i);
            boolean ok =
                    (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
            if (!ok) {
                return false;
            }
        }
        return true;
    }
}

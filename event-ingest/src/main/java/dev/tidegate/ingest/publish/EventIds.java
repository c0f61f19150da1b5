package dev.tidegate.ingest.publish;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Ids of events whose publisher gives none. Stateless; any thread. */
public final class EventIds {
    private EventIds() {}

    /**
     * A new id: a UUID of version 7 (RFC 9562), so that ids sort by time. The 12 bits after the milliseconds are their
     * fraction (method 3), the rest is random. Not a secret: whoever may read an event sees its id.
     */
    public static String next() {
        long micros = System.currentTimeMillis() * 1_000 + (System.nanoTime() / 1_000) % 1_000;
        return next(micros, ThreadLocalRandom.current().nextLong());
    }

    static String next(long epochMicros, long random) {
        long millis = epochMicros / 1_000;
        long fraction = epochMicros % 1_000 * 4096 / 1_000;
        long high = (millis << 16) | 0x7000 | fraction;
        long low = (random & 0x3fff_ffff_ffff_ffffL) | 0x8000_0000_0000_0000L;
        return new UUID(high, low).toString();
    }

    /**
     * The id of an event that was sent with an idempotency key: a UUID of version 8 made of the first 122 bits of
     * SHA-256(channel, 0, key). It is the same on every instance and in every attempt, so a repeat that slips through
     * while Redis is away is still recognised by every subscriber.
     */
    public static String derived(String channel, String idempotencyKey) {
        MessageDigest sha = sha256();
        sha.update(channel.getBytes(StandardCharsets.UTF_8));
        sha.update((byte) 0);
        byte[] d = sha.digest(idempotencyKey.getBytes(StandardCharsets.UTF_8));
        long high = (bigEndian(d, 0) & 0xffff_ffff_ffff_0fffL) | 0x8000;
        long low = (bigEndian(d, 8) & 0x3fff_ffff_ffff_ffffL) | 0x8000_0000_0000_0000L;
        return new UUID(high, low).toString();
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is required of every Java platform", e);
        }
    }

    private static long bigEndian(byte[] b, int at) {
        long v = 0;
        for (int i = at; i < at + 8; i++) {
            v = (v << 8) | (b[i] & 0xff);
        }
        return v;
    }
}

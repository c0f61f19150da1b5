package dev.tidegate.ingest.spool;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/**
 * Names in PostgreSQL by which the instances of one topic find each other: advisory locks and notifications (ADR 114).
 * Immutable; any thread.
 *
 * @param topic the fan-out topic
 * @param lock number of the floor's lock
 * @param instance this instance's name, as others hear it
 */
public record Floor(String topic, long lock, String instance) {
    /** The channel of notifications; its parameter says of which topic, and what. */
    static final String CHANNEL = "tidegate_spool";

    /** How long an insert waits for it; then it goes on without. */
    static final int WAIT_MILLIS = 1_000;

    /** That of a topic. */
    public Floor(String topic) {
        this(topic, lock("tidegate floor " + topic), UUID.randomUUID().toString());
    }

    /** An instance has to spool, and asks for the floor; its name follows. */
    String spooling() {
        return "spooling " + topic + " ";
    }

    /** The spool is nearly empty: whoever drains lets his events wait for a moment. */
    String closing() {
        return "closing " + topic;
    }

    /** There are new rows. */
    String rows() {
        return "rows " + topic;
    }

    /** A lock's number, from its name: PostgreSQL's have 64 bits, shared by all who use the database. */
    static long lock(String name) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return ByteBuffer.wrap(digest).getLong();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("SHA-256 is required of every Java platform", e);
        }
    }
}

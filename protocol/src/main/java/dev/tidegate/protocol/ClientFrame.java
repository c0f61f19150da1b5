package dev.tidegate.protocol;

import org.jspecify.annotations.Nullable;

/**
 * A frame from a client. {@code id} is what the client wants to see in the answer: the raw JSON of a string or number,
 * echoed as it is; null when it gave none.
 */
public sealed interface ClientFrame {
    /** The raw JSON of the frame's id, or null. */
    @Nullable
    String id();

    /** Identify, or renew the identity, by a token. */
    record Connect(@Nullable String id, String token) implements ClientFrame {}

    /**
     * Subscribe to a channel.
     *
     * @param after resume after this cursor, or null
     * @param last the number of newest events wanted first, or -1
     * @param durable the name of a durable cursor to resume from, or null
     */
    record Subscribe(
            @Nullable String id,
            ChannelName channel,
            @Nullable Cursor after,
            int last,
            @Nullable String durable) implements ClientFrame {}

    /** End a subscription. */
    record Unsubscribe(@Nullable String id, ChannelName channel) implements ClientFrame {}

    /**
     * Publish an event.
     *
     * @param data the payload, raw JSON
     * @param event the event's id, for idempotency, or null
     * @param type the event's type, or null
     */
    record Publish(
            @Nullable String id,
            ChannelName channel,
            byte[] data,
            @Nullable String event,
            @Nullable String type) implements ClientFrame {}

    /** Store the position of a durable subscription. */
    record Ack(@Nullable String id, ChannelName channel, Cursor cursor, String durable) implements ClientFrame {}

    /** Ask who is there. */
    record Presence(@Nullable String id, ChannelName channel) implements ClientFrame {}

    /** Ask for a {@code pong}. */
    record Ping(@Nullable String id) implements ClientFrame {}
}

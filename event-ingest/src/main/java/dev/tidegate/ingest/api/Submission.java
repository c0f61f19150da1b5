package dev.tidegate.ingest.api;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An event as a publisher sent it, checked.
 *
 * @param channel where it goes
 * @param payload its bytes; what {@code contentType} says
 * @param contentType null for JSON
 * @param id the publisher's id for it, if any
 * @param type its type, if any
 * @param source its source, if any
 * @param traceparent the trace it belongs to, if any
 * @param attributes its other CloudEvents attributes
 * @param idempotencyKey the publisher's key, if any
 */
record Submission(
        ChannelName channel,
        byte[] payload,
        @Nullable String contentType,
        @Nullable String id,
        @Nullable String type,
        @Nullable String source,
        @Nullable String traceparent,
        List<Event.Attribute> attributes,
        @Nullable String idempotencyKey) {
    Event event(String eventId) {
        return new Event(channel, eventId, type, source, contentType, payload, traceparent, attributes);
    }
}

package dev.tidegate.ingest.publish;

import dev.tidegate.protocol.ChannelName;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * An event that has been checked and may be written.
 *
 * @param channel where it goes
 * @param id its id, at most 255 bytes
 * @param type {@code ce_type}, or null for the configured one
 * @param source {@code ce_source}, or null for the configured one
 * @param contentType null for JSON
 * @param payload its bytes; what {@code contentType} says
 * @param traceparent the publisher's W3C trace context, passed on as it came
 * @param attributes further CloudEvents attributes, written as {@code ce_<name>}
 */
public record Event(
        ChannelName channel,
        String id,
        @Nullable String type,
        @Nullable String source,
        @Nullable String contentType,
        byte[] payload,
        @Nullable String traceparent,
        List<Attribute> attributes) {
    /** A CloudEvents attribute that has no place of its own here. */
    public record Attribute(String name, String value) {}
}

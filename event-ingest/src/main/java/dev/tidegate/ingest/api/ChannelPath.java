package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ProtocolException;
import org.springframework.http.server.PathContainer;

/**
 * Reads the channel out of {@code /v1/channels/{channel}/events}. Not by Spring's path variable: that one drops what stands
 * behind a {@code ;}, so {@code a;b} would publish to {@code a}.
 */
final class ChannelPath {
    /** Index of the channel among the path's elements, separators counted: {@code / v1 / channels / {channel}}. */
    private static final int CHANNEL_ELEMENT = 5;

    private ChannelPath() {}

    /** @throws ProtocolException {@code channel_invalid} */
    static ChannelName channel(PathContainer path) {
        return ChannelName.ofPathSegment(path.elements().get(CHANNEL_ELEMENT).value());
    }
}

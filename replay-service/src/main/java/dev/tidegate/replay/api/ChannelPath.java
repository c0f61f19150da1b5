package dev.tidegate.replay.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ProtocolException;
import org.springframework.http.server.PathContainer;

/**
 * Reads the channel out of {@code /v1/channels/{channel}/events}: not by Spring's path variable, which drops what stands behind a
 * {@code ;}, so that {@code a;b} would read {@code a}.
 */
final class ChannelPath {
    static final String PATTERN = "/v1/channels/{channel}/events";

    /** Index of the channel among the path's elements, separators counted. */
    private static final int CHANNEL_ELEMENT = 5;

    private ChannelPath() {}

    /** @throws ProtocolException {@code channel_invalid} */
    static ChannelName channel(PathContainer path) {
        return ChannelName.ofPathSegment(path.elements().get(CHANNEL_ELEMENT).value());
    }
}

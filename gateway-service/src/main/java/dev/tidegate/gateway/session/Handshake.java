package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the edge learnt about a client before its channel is handed to its shard.
 *
 * @param identity who it is; {@link Identity#ANONYMOUS} without a token
 * @param format how frames are framed for it
 * @param subscribes channels named in the URL, in order, bounded by the limit on subscriptions of a connection
 */
public record Handshake(Identity identity, WireFormat format, List<Subscribe> subscribes) {
    /** How frames are framed on the connection. */
    public enum WireFormat {
        /** RFC 6455 text frames. */
        WEBSOCKET,
        /** The same with permessage-deflate (RFC 7692) agreed on, no context kept by either side. */
        WEBSOCKET_DEFLATE,
        /** Server-sent events (text/event-stream), the body of an HTTP/1.1 response that ends with the connection. */
        SSE
    }

    /**
     * A subscription asked for at the handshake.
     *
     * @param durable the name of a durable cursor to resume from when {@code after} is missing, or null
     */
    public record Subscribe(
            ChannelName channel,
            @Nullable Cursor after,
            int last,
            @Nullable String durable) {
        /** Without a durable cursor. */
        public Subscribe(ChannelName channel, @Nullable Cursor after, int last) {
            this(channel, after, last, null);
        }
    }
}

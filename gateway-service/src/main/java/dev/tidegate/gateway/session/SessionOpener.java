package dev.tidegate.gateway.session;

import io.netty.channel.Channel;

/** Takes over channels from the edge. */
public interface SessionOpener {
    /**
     * Takes over a channel whose HTTP handlers are gone and whose response head (101, or the head of an event stream) has
     * been written and flushed or is about to be in this very task. Called on the channel's event loop. Adds the
     * session's own handlers (frame decoder included) and sends {@code connected}.
     */
    void open(Channel channel, Handshake handshake);
}

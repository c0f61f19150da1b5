package dev.tidegate.replay.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
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
        return ChannelName.parse(decode(path.elements().get(CHANNEL_ELEMENT).value()));
    }

    /** Percent-decoding of one segment ({@code +} stays); channel names are ASCII, so a byte is a character. */
    private static String decode(String raw) {
        StringBuilder out = new StringBuilder(raw.length());
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c != '%') {
                out.append(c);
                continue;
            }
            int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
            int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
            if (high < 0 || low < 0) {
                throw new ProtocolException(
                        ErrorCode.CHANNEL_INVALID,
                        "channel: '%' at index " + i + " is not followed by two hexadecimal digits");
            }
            out.append((char) (high << 4 | low));
            i += 2;
        }
        return out.toString();
    }
}

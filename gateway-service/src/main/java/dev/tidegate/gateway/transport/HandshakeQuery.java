package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.ProtocolException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The query of a handshake, read in order, since each {@code after}, {@code last} and {@code durable} belongs to the {@code channel}
 * before it. Percent-decoding is RFC 3986's: a {@code +} is a plus, as channel names may hold one. Unknown parameters are
 * ignored.
 *
 * @param token the bearer token, or null
 * @param lastEventId where an event stream resumes, or null
 * @param subscribes the channels, in order
 */
record HandshakeQuery(@Nullable String token, @Nullable String lastEventId, List<Subscribe> subscribes) {
    /**
     * Reads a raw query.
     *
     * @param maxChannels most channels
     * @throws ProtocolException naming the parameter that is wrong
     */
    static HandshakeQuery parse(@Nullable String rawQuery, int maxChannels) {
        Reader reader = new Reader(maxChannels);
        if (rawQuery != null) {
            int from = 0;
            while (from <= rawQuery.length()) {
                int to = rawQuery.indexOf('&', from);
                if (to < 0) {
                    to = rawQuery.length();
                }
                reader.pair(rawQuery.substring(from, to));
                from = to + 1;
            }
        }
        return reader.finish();
    }

    private static final class Reader {
        private final int maxChannels;
        private final List<Subscribe> subscribes = new ArrayList<>();
        private final Set<String> seen = new HashSet<>();
        private @Nullable String token;
        private @Nullable String lastEventId;
        private @Nullable ChannelName channel;
        private @Nullable Cursor after;
        private int last = -1;
        private @Nullable String durable;

        Reader(int maxChannels) {
            this.maxChannels = maxChannels;
        }

        void pair(String pair) {
            int equals = pair.indexOf('=');
            String name = equals < 0 ? pair : pair.substring(0, equals);
            String raw = equals < 0 ? "" : pair.substring(equals + 1);
            switch (name) {
                case "channel" -> channel(decode(name, raw));
                case "after" -> after(decode(name, raw));
                case "last" -> last(decode(name, raw));
                case "durable" -> durable(decode(name, raw));
                case "token" -> token = once(name, token, decode(name, raw));
                case "lastEventId" -> lastEventId = once(name, lastEventId, decode(name, raw));
                default -> {
                    // Not ours: unknown fields are ignored, as everywhere in the contract.
                }
            }
        }

        private void channel(String value) {
            endChannel();
            channel = new ChannelName(value);
            if (!seen.add(value)) {
                throw bad("channel", "'" + value + "' twice", "each channel once");
            }
        }

        private void after(String value) {
            noPositionYet("after");
            after = Cursor.parse(value);
        }

        private void last(String value) {
            noPositionYet("last");
            if (!value.matches("[0-9]{1,9}")) {
                throw bad("last", "'" + shown(value) + "'", "the number of newest events, 0 or more");
            }
            last = Integer.parseInt(value);
        }

        private void durable(String value) {
            if (channel == null) {
                throw bad("durable", "without a channel", "channel=… before it");
            }
            durable = FanoutRecord.checkName("durable", once("durable", durable, value));
        }

        private void noPositionYet(String name) {
            if (channel == null) {
                throw bad(name, "without a channel", "channel=… before it");
            }
            if (after != null || last >= 0) {
                throw bad(name, "a second position for channel '" + channel + "'", "one of after and last, once");
            }
        }

        private void endChannel() {
            if (channel == null) {
                return;
            }
            if (subscribes.size() == maxChannels) {
                throw new ProtocolException(
                        ErrorCode.LIMIT_EXCEEDED,
                        "channel: more than " + maxChannels + " (expected: at most " + maxChannels + ")");
            }
            subscribes.add(new Subscribe(channel, after, last, durable));
            channel = null;
            after = null;
            last = -1;
            durable = null;
        }

        HandshakeQuery finish() {
            endChannel();
            return new HandshakeQuery(token, lastEventId, List.copyOf(subscribes));
        }

        private static String once(String name, @Nullable String before, String value) {
            if (before != null) {
                throw bad(name, "given twice", "once");
            }
            return value;
        }
    }

    private static String decode(String name, String raw) {
        if (raw.indexOf('%') < 0) {
            return raw;
        }
        byte[] out = new byte[raw.length()];
        int n = 0;
        for (int i = 0; i < raw.length(); i++) {
            char c = raw.charAt(i);
            if (c == '%') {
                int high = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 1), 16) : -1;
                int low = i + 2 < raw.length() ? Character.digit(raw.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw bad(name, "a '%' without two hexadecimal digits", "percent-encoding");
                }
                out[n++] = (byte) (high << 4 | low);
                i += 2;
            } else if (c > 0x20 && c < 0x7f) {
                out[n++] = (byte) c;
            } else {
                throw bad(name, "a character that must be percent-encoded", "percent-encoding");
            }
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(out, 0, n))
                    .toString();
        } catch (CharacterCodingException e) {
            throw bad(name, "not UTF-8", "percent-encoded UTF-8");
        }
    }

    private static String shown(String value) {
        return value.length() <= 40 ? value : value.substring(0, 40) + "…";
    }

    private static ProtocolException bad(String name, String what, String expected) {
        return new ProtocolException(ErrorCode.BAD_REQUEST, name + ": " + what + " (expected: " + expected + ")");
    }
}

package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The attributes of an event as one column: version (1), then type, source, content type, trace context, then the number of
 * further attributes, and a name and a value for each. A text is its length in bytes (four bytes, -1: there is none) and
 * UTF-8. Bytes and not columns of text, since a value may hold what PostgreSQL's text cannot (a zero). Stateless.
 */
final class Envelope {
    /** Newest version that is known here, and the one that is written. */
    static final byte VERSION = 1;

    private Envelope() {}

    static byte[] encode(Event event) {
        List<byte @Nullable []> texts =
                new ArrayList<>(4 + 2 * event.attributes().size());
        texts.add(utf8(event.type()));
        texts.add(utf8(event.source()));
        texts.add(utf8(event.contentType()));
        texts.add(utf8(event.traceparent()));
        for (Event.Attribute a : event.attributes()) {
            texts.add(utf8(a.name()));
            texts.add(utf8(a.value()));
        }
        int size = 1 + Integer.BYTES;
        for (byte[] t : texts) {
            size += Integer.BYTES + (t == null ? 0 : t.length);
        }
        ByteBuffer out = ByteBuffer.allocate(size).put(VERSION);
        for (int i = 0; i < texts.size(); i++) {
            if (i == 4) {
                out.putInt(event.attributes().size());
            }
            byte[] t = texts.get(i);
            out.putInt(t == null ? -1 : t.length);
            if (t != null) {
                out.put(t);
            }
        }
        if (texts.size() == 4) {
            out.putInt(0);
        }
        return out.array();
    }

    /**
     * The event of a row.
     *
     * @throws IllegalArgumentException if the envelope is none of ours, e.g. a later version's
     * @throws dev.tidegate.protocol.ProtocolException if the channel's name is none
     */
    static Event decode(String channel, String id, byte[] envelope, byte[] payload) {
        ByteBuffer in = ByteBuffer.wrap(envelope);
        try {
            if (in.get() != VERSION) {
                throw new IllegalArgumentException("envelope: version " + envelope[0] + " (expected: " + VERSION + ")");
            }
            String type = text(in);
            String source = text(in);
            String contentType = text(in);
            String traceparent = text(in);
            int count = in.getInt();
            if (count < 0) {
                throw new IllegalArgumentException("envelope: " + count + " attributes (expected: 0 or more)");
            }
            List<Event.Attribute> attributes = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                attributes.add(new Event.Attribute(needed(in), needed(in)));
            }
            if (in.hasRemaining()) {
                throw new IllegalArgumentException("envelope: " + in.remaining() + " bytes after its end");
            }
            return new Event(
                    ChannelName.parse(channel), id, type, source, contentType, payload, traceparent, attributes);
        } catch (BufferUnderflowException e) {
            throw new IllegalArgumentException("envelope: it ends too early", e);
        }
    }

    private static String needed(ByteBuffer in) {
        String text = text(in);
        if (text == null) {
            throw new IllegalArgumentException("envelope: an attribute without a name or a value");
        }
        return text;
    }

    private static @Nullable String text(ByteBuffer in) {
        int length = in.getInt();
        if (length < 0) {
            return null;
        }
        if (length > in.remaining()) {
            throw new BufferUnderflowException();
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private static byte @Nullable [] utf8(@Nullable String s) {
        return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
    }
}

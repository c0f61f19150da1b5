package dev.tidegate.protocol;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a gateway and a replay service say to each other on {@code POST /v1/replay}: a JSON array of requests, answered
 * by an NDJSON stream that holds, per request and in the order asked, its {@code event} frames and one {@code end} line.
 */
public final class Replay {
    /** Most requests of one call. */
    public static final int MAX_REQUESTS = 1024;

    private Replay() {}

    /**
     * Asks for a channel's events in ({@code after}, {@code upTo}], or for its newest ones up to {@code upTo}.
     *
     * @param after resume after this cursor; null with {@code last}
     * @param last the number of newest events wanted, or -1 with {@code after}
     * @param upTo the offset (of the partition as the gateway knows it) up to which events are wanted
     * @param epoch the epoch of {@code upTo}
     * @param limit most events in the answer; more are asked for with the {@code end} line's cursor
     */
    public record Request(
            ChannelName channel, @Nullable Cursor after, int last, String epoch, int partition, long upTo, int limit) {
        public Request {
            if ((after == null) == (last < 0)) {
                throw new ProtocolException(ErrorCode.BAD_REQUEST, "after, last: (expected: exactly one of them)");
            }
            if (limit < 1) {
                throw new ProtocolException(ErrorCode.BAD_REQUEST, "limit: " + limit + " (expected: 1 or more)");
            }
        }

        /** The place up to which events are wanted. */
        public Cursor target() {
            return new Cursor(epoch, partition, upTo);
        }
    }

    /** Which tier answered. */
    public enum Tier {
        MEMORY,
        ARCHIVE,
        KAFKA;

        /** The name on the wire. */
        public String wire() {
            return switch (this) {
                case MEMORY -> "memory";
                case ARCHIVE -> "archive";
                case KAFKA -> "kafka";
            };
        }
    }

    /**
     * The end of one request's answer.
     *
     * @param request the request's index in the call
     * @param cursor everything of the channel up to here has been sent (or is named by {@code gap})
     * @param complete whether {@code cursor} has reached the request's {@code upTo}; if not, ask again from it
     * @param gap what could not be replayed, or null; it comes before the events in the client's order
     * @param error set when the request failed: then no more than the events before this line was answered
     */
    public record End(
            int request,
            Cursor cursor,
            boolean complete,
            @Nullable Gap gap,
            @Nullable Tier tier,
            @Nullable ErrorCode error,
            @Nullable String message) {}

    /** One line of the answer. */
    public sealed interface Line {
        /**
         * An event.
         *
         * @param frame the whole frame, ready to be sent on
         */
        record Event(Cursor cursor, long prev, byte[] frame) implements Line {}

        /** The end of a request's answer. */
        record Ended(End end) implements Line {}

        /** A gap, told before the events that follow it. */
        record GapLine(Gap gap) implements Line {}
    }

    /** Appends the body of a call. */
    public static void encodeRequests(FrameBuffer out, List<Request> requests) {
        out.raw('[');
        for (int i = 0; i < requests.size(); i++) {
            Request r = requests.get(i);
            out.ascii(i == 0 ? "{" : ",{");
            out.ascii("\"channel\":").jsonString(r.channel().value());
            Cursor after = r.after();
            if (after != null) {
                out.ascii(",\"after\":").jsonString(after.toString());
            } else {
                out.ascii(",\"last\":").number(r.last());
            }
            out.ascii(",\"upTo\":").jsonString(r.target().toString());
            out.ascii(",\"limit\":").number(r.limit()).raw('}');
        }
        out.raw(']');
    }

    /** Decodes the body of a call. @throws ProtocolException {@code bad_request}, {@code channel_invalid}, {@code cursor_invalid} */
    public static List<Request> decodeRequests(byte[] body) {
        JsonValue root = JsonValue.parse(body, 0, body.length);
        if (root.kind() != JsonValue.Kind.ARRAY) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, "body: not an array (expected: a list of requests)");
        }
        List<JsonValue> elements = root.elements(MAX_REQUESTS + 1);
        if (elements.isEmpty() || elements.size() > MAX_REQUESTS) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST,
                    "body: " + (elements.isEmpty() ? "no" : "too many") + " requests (expected: 1 to " + MAX_REQUESTS
                            + ")");
        }
        List<Request> out = new ArrayList<>(elements.size());
        for (int i = 0; i < elements.size(); i++) {
            try {
                out.add(request(elements.get(i)));
            } catch (ProtocolException e) {
                throw new ProtocolException(e.code(), "request " + i + ": " + e.text());
            }
        }
        return out;
    }

    private static Request request(JsonValue v) {
        Map<String, JsonValue> m = members(v);
        JsonValue after = given(m, "after");
        JsonValue last = given(m, "last");
        Cursor target = Cursor.parse(need(m, "upTo").string("upTo"));
        JsonValue limit = given(m, "limit");
        return new Request(
                new ChannelName(need(m, "channel").string("channel")),
                after == null ? null : Cursor.parse(after.string("after")),
                last == null ? -1 : (int) last.integer("last", 0, Integer.MAX_VALUE),
                target.epoch(),
                target.partition(),
                target.offset(),
                limit == null ? Integer.MAX_VALUE : (int) limit.integer("limit", 1, Integer.MAX_VALUE));
    }

    /** Appends an {@code end} line, without the line break. */
    public static void encodeEnd(FrameBuffer out, End end) {
        out.ascii("{\"op\":\"end\",\"request\":").number(end.request());
        out.ascii(",\"cursor\":").jsonString(end.cursor().toString());
        out.ascii(",\"complete\":").ascii(end.complete() ? "true" : "false");
        Gap gap = end.gap();
        if (gap != null) {
            out.ascii(",\"gap\":{").ascii("\"reason\":").jsonString(gap.reason().wire());
            out.ascii(",\"after\":").jsonString(gap.after().toString());
            out.ascii(",\"cursor\":").jsonString(gap.cursor().toString()).raw('}');
        }
        Tier tier = end.tier();
        if (tier != null) {
            out.ascii(",\"tier\":").jsonString(tier.wire());
        }
        ErrorCode error = end.error();
        if (error != null) {
            out.ascii(",\"error\":").jsonString(error.wire());
            String message = end.message();
            if (message != null) {
                out.ascii(",\"message\":").jsonString(message);
            }
        }
        out.raw('}');
    }

    /**
     * Decodes one line of an answer. Of an event as {@link EventFrames} spells it only the head is read: a client that
     * comes back costs one such line for each event it missed, and the replay service has checked the payload by the
     * same rule as the gateway would. What is spelled otherwise is parsed whole.
     *
     * @throws ProtocolException {@code bad_request} if it is none
     */
    public static Line decodeLine(byte[] line) {
        Line.Event event = EventFrames.decodeHead(line);
        if (event != null) {
            return event;
        }
        Map<String, JsonValue> m = members(JsonValue.parse(line, 0, line.length));
        String op = need(m, "op").string("op");
        return switch (op) {
            case "event" ->
                new Line.Event(
                        Cursor.parse(need(m, "cursor").string("cursor")),
                        need(m, "prev").integer("prev", Cursor.BEFORE_FIRST, Long.MAX_VALUE),
                        line);
            case "gap" -> new Line.GapLine(gap(m));
            case "end" -> new Line.Ended(end(m));
            default ->
                throw new ProtocolException(ErrorCode.BAD_REQUEST, "op: '" + op + "' (expected: event, gap or end)");
        };
    }

    private static End end(Map<String, JsonValue> m) {
        JsonValue gap = given(m, "gap");
        JsonValue tier = given(m, "tier");
        JsonValue error = given(m, "error");
        JsonValue message = given(m, "message");
        return new End(
                (int) need(m, "request").integer("request", 0, MAX_REQUESTS - 1),
                Cursor.parse(need(m, "cursor").string("cursor")),
                need(m, "complete").bool("complete"),
                gap == null ? null : gap(members(gap)),
                tier == null ? null : tier(tier.string("tier")),
                error == null ? null : error(error.string("error")),
                message == null ? null : message.string("message"));
    }

    private static Gap gap(Map<String, JsonValue> m) {
        return new Gap(
                Cursor.parse(need(m, "after").string("after")),
                Cursor.parse(need(m, "cursor").string("cursor")),
                Gap.Reason.parse(need(m, "reason").string("reason")));
    }

    private static @Nullable Tier tier(String wire) {
        for (Tier t : Tier.values()) {
            if (t.wire().equals(wire)) {
                return t;
            }
        }
        return null; // a tier of a newer version: only told, never acted on
    }

    private static ErrorCode error(String wire) {
        for (ErrorCode c : ErrorCode.values()) {
            if (c.wire().equals(wire)) {
                return c;
            }
        }
        return ErrorCode.INTERNAL;
    }

    private static Map<String, JsonValue> members(JsonValue v) {
        if (v.kind() != JsonValue.Kind.OBJECT) {
            throw v.wrong("value", "an object");
        }
        Map<String, JsonValue> m = new HashMap<>();
        for (JsonValue.Member member : v.members()) {
            m.put(member.name(), member.value());
        }
        return m;
    }

    private static @Nullable JsonValue given(Map<String, JsonValue> m, String name) {
        JsonValue v = m.get(name);
        return v == null || v.kind() == JsonValue.Kind.NULL ? null : v;
    }

    private static JsonValue need(Map<String, JsonValue> m, String name) {
        JsonValue v = m.get(name);
        if (v == null) {
            throw new ProtocolException(ErrorCode.BAD_REQUEST, name + ": missing");
        }
        return v;
    }
}

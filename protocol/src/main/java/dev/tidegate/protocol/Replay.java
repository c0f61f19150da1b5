package dev.tidegate.protocol;

import java.util.List;
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
        return JsonObject.decodeList(body, "request", MAX_REQUESTS, Replay::request);
    }

    private static Request request(JsonObject o) {
        Cursor target = o.cursor("upTo");
        String after = o.textIfGiven("after");
        return new Request(
                o.channel(),
                after == null ? null : Cursor.parse(after),
                (int) o.integerIfGiven("last", 0, Integer.MAX_VALUE, -1),
                target.epoch(),
                target.partition(),
                target.offset(),
                (int) o.integerIfGiven("limit", 1, Integer.MAX_VALUE, Integer.MAX_VALUE));
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
        JsonObject o = JsonObject.parse(line);
        String op = o.text("op");
        return switch (op) {
            case "event" ->
                new Line.Event(o.cursor("cursor"), o.integer("prev", Cursor.BEFORE_FIRST, Long.MAX_VALUE), line);
            case "gap" -> new Line.GapLine(gap(o));
            case "end" -> new Line.Ended(end(o));
            default ->
                throw new ProtocolException(ErrorCode.BAD_REQUEST, "op: '" + op + "' (expected: event, gap or end)");
        };
    }

    private static End end(JsonObject o) {
        JsonValue gap = o.given("gap");
        String tier = o.textIfGiven("tier");
        String error = o.textIfGiven("error");
        return new End(
                (int) o.integer("request", 0, MAX_REQUESTS - 1),
                o.cursor("cursor"),
                o.bool("complete"),
                gap == null ? null : gap(JsonObject.of(gap)),
                tier == null ? null : tier(tier),
                error == null ? null : error(error),
                o.textIfGiven("message"));
    }

    private static Gap gap(JsonObject o) {
        return new Gap(o.cursor("after"), o.cursor("cursor"), Gap.Reason.parse(o.text("reason")));
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
}

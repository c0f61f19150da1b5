package dev.tidegate.protocol;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Encodes every frame a gateway sends but {@code event} (see {@link EventFrames}). Member order is fixed; golden bytes
 * stand in the tests. {@code id} is the raw JSON of the request's id, or null. Stateless: each method appends one JSON
 * object to the buffer it is given.
 */
public final class ServerFrames {
    /** The protocol version told in {@code connected}. */
    public static final String VERSION = "1";

    /** What {@code subscribed} says about recovery. */
    public enum Recovery {
        NONE("none"),
        COMPLETE("complete"),
        GAP("gap"),
        PENDING("pending");

        private final String wire;

        Recovery(String wire) {
            this.wire = wire;
        }

        /** The name on the wire. */
        public String wire() {
            return wire;
        }
    }

    private ServerFrames() {}

    /** The first frame of every connection, and the answer to {@code connect}. */
    public static void connected(
            FrameBuffer out, @Nullable String id, String connection, @Nullable String subject, long heartbeatMs) {
        head(out, "connected", id);
        out.ascii(",\"connection\":").jsonString(connection);
        if (subject != null) {
            out.ascii(",\"subject\":").jsonString(subject);
        }
        out.ascii(",\"heartbeatMs\":").number(heartbeatMs);
        out.ascii(",\"version\":").jsonString(VERSION).raw('}');
    }

    /**
     * Tells a subscription, its position and what of its past follows.
     *
     * @param replayed how many events follow from replay, or -1 when not known
     */
    public static void subscribed(
            FrameBuffer out, @Nullable String id, String channel, Cursor cursor, Recovery recovery, long replayed) {
        head(out, "subscribed", id);
        out.ascii(",\"channel\":").jsonString(channel);
        out.ascii(",\"cursor\":").jsonString(cursor.toString());
        out.ascii(",\"recovery\":").jsonString(recovery.wire());
        if (replayed >= 0) {
            out.ascii(",\"replayed\":").number(replayed);
        }
        out.raw('}');
    }

    /**
     * Tells the end of a subscription.
     *
     * @param reason given when the server ended the subscription, else null
     */
    public static void unsubscribed(FrameBuffer out, @Nullable String id, String channel, @Nullable String reason) {
        head(out, "unsubscribed", id);
        out.ascii(",\"channel\":").jsonString(channel);
        if (reason != null) {
            out.ascii(",\"reason\":").jsonString(reason);
        }
        out.raw('}');
    }

    /** What became of a published event. */
    public enum PublishStatus {
        /** It is in the log; the frame has its cursor. */
        STORED("stored"),
        /** It is kept, and will be in the log. */
        SPOOLED("spooled"),
        /** An ephemeral one: it was passed on to whoever listened. */
        SENT("sent");

        private final String wire;

        PublishStatus(String wire) {
            this.wire = wire;
        }

        /** As it is on the wire. */
        public String wire() {
            return wire;
        }

        /** The status of that name; null if there is none. */
        public static @Nullable PublishStatus of(@Nullable String wire) {
            for (PublishStatus s : values()) {
                if (s.wire.equals(wire)) {
                    return s;
                }
            }
            return null;
        }
    }

    /**
     * Answers a publish.
     *
     * @param cursor the event's place when stored, else null
     */
    public static void published(
            FrameBuffer out, @Nullable String id, String event, PublishStatus status, @Nullable String cursor) {
        head(out, "published", id);
        out.ascii(",\"event\":").jsonString(event);
        out.ascii(",\"status\":").jsonString(status.wire());
        if (cursor != null) {
            out.ascii(",\"cursor\":").jsonString(cursor);
        }
        out.raw('}');
    }

    /**
     * Tells positions that moved without an event.
     *
     * @param channels channel to position, not empty
     */
    public static void position(FrameBuffer out, Map<String, Cursor> channels) {
        head(out, "position", null);
        out.ascii(",\"channels\":{");
        boolean first = true;
        for (var e : channels.entrySet()) {
            if (!first) {
                out.raw(',');
            }
            first = false;
            out.jsonString(e.getKey()).raw(':').jsonString(e.getValue().toString());
        }
        out.ascii("}}");
    }

    /** Tells events that cannot be replayed. */
    public static void gap(FrameBuffer out, String channel, Gap gap) {
        head(out, "gap", null);
        out.ascii(",\"channel\":").jsonString(channel);
        gapMembers(out, gap);
        out.raw('}');
    }

    /** Answers a ping. */
    public static void pong(FrameBuffer out, @Nullable String id) {
        head(out, "pong", id);
        out.raw('}');
    }

    /** Answers who is there: this, then {@link #presenceMember} for each that is listed, then {@link #presenceEnd}. */
    public static void presenceHead(FrameBuffer out, @Nullable String id, String channel, long count) {
        head(out, "presence", id);
        out.ascii(",\"channel\":").jsonString(channel);
        out.ascii(",\"count\":").number(count);
        out.ascii(",\"members\":[");
    }

    /** One who is there; {@code index}: of those listed, from 0. */
    public static void presenceMember(FrameBuffer out, int index, PresenceMember member, long connections) {
        if (index > 0) {
            out.raw(',');
        }
        member(out, member);
        out.ascii(",\"connections\":").number(connections).raw('}');
    }

    /** Ends the answer. */
    public static void presenceEnd(FrameBuffer out) {
        out.ascii("]}");
    }

    /** Tells that somebody came to a channel, or left it. */
    public static void moved(FrameBuffer out, boolean joined, String channel, PresenceMember member) {
        head(out, joined ? "join" : "leave", null);
        out.ascii(",\"channel\":").jsonString(channel);
        out.ascii(",\"member\":");
        member(out, member);
        out.ascii("}}");
    }

    /** Left open: who is listed has more to say. */
    private static void member(FrameBuffer out, PresenceMember member) {
        out.ascii(member.authenticated() ? "{\"subject\":" : "{\"connection\":").jsonString(member.name());
    }

    /**
     * Asks the client to go elsewhere; the server closes after it.
     *
     * @param reason {@code drain} or {@code rebalance}
     */
    public static void reconnect(FrameBuffer out, long afterMs, String reason) {
        head(out, "reconnect", null);
        out.ascii(",\"afterMs\":").number(afterMs);
        out.ascii(",\"reason\":").jsonString(reason).raw('}');
    }

    /** Tells that something the client sent, or asked for, failed. */
    public static void error(
            FrameBuffer out, @Nullable String id, ErrorCode code, String message, @Nullable String channel) {
        head(out, "error", id);
        out.ascii(",\"code\":").jsonString(code.wire());
        out.ascii(",\"message\":").jsonString(message);
        if (channel != null) {
            out.ascii(",\"channel\":").jsonString(channel);
        }
        out.raw('}');
    }

    static void gapMembers(FrameBuffer out, Gap gap) {
        out.ascii(",\"after\":").jsonString(gap.after().toString());
        out.ascii(",\"cursor\":").jsonString(gap.cursor().toString());
        out.ascii(",\"reason\":").jsonString(gap.reason().wire());
    }

    private static void head(FrameBuffer out, String op, @Nullable String id) {
        out.ascii("{\"op\":\"").ascii(op).raw('"');
        if (id != null) {
            out.ascii(",\"id\":").raw(id.getBytes(java.nio.charset.StandardCharsets.UTF_8));
        }
    }
}

package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.postgres.Session;
import io.r2dbc.spi.Readable;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Which rows of the spool are for the relay, and which hold up their channel, since a relay that knew as much as this one
 * could not read them (ADR 113). Conditions are over a row {@code s} or over the table alone; their first parameter is the
 * topic, their second the newest version of the envelope that is known here. Stateless.
 */
final class SpoolRows {
    /** A row that cannot be read here. What a relay of less knowledge has marked is tried once more. */
    static final String UNREAD = "topic = $1 AND fault IS NULL AND unread_by >= $2";

    /** A row {@code s} that is neither such a one nor behind one in its channel. */
    static final String RELAYABLE = """
            s.topic = $1 AND s.fault IS NULL AND NOT EXISTS (
                SELECT 1 FROM ingest.spool AS u WHERE %s AND u.channel = s.channel AND u.seq <= s.seq)""".formatted(UNREAD);

    /** Events, their bytes, since when, faulty ones, and how many of the first number are held up. */
    static final String COUNT = """
            SELECT count(*) FILTER (WHERE fault IS NULL), coalesce(sum(bytes), 0)::bigint,
                coalesce(min(accepted_at) FILTER (WHERE fault IS NULL), 0), count(fault),
                count(*) FILTER (WHERE fault IS NULL AND seq >= u.head)
            FROM ingest.spool LEFT JOIN (
                SELECT channel, min(seq) AS head FROM ingest.spool WHERE %s GROUP BY channel) AS u USING (channel)
            WHERE topic = $1""".formatted(UNREAD);

    static final String ANY = "SELECT EXISTS (SELECT 1 FROM ingest.spool AS s WHERE " + RELAYABLE + ")";

    /**
     * So many channels can be held up by themselves. Where there are more, all events go to the spool until a newer
     * instance relays them, as they do while it has rows of any kind.
     */
    static final int MAX_HELD_CHANNELS = 10_000;

    private static final String HELD = "SELECT seq, channel, event_id, unread_why FROM ingest.spool WHERE " + UNREAD
            + " ORDER BY seq LIMIT " + (MAX_HELD_CHANNELS + 1);

    private SpoolRows() {}

    /**
     * A row that holds up its channel.
     *
     * @param seq its number
     * @param why it cannot be read
     */
    record Held(long seq, String channel, String eventId, String why) {
        @Override
        public String toString() {
            return "row " + seq + " (channel " + channel + ", event " + eventId + "): " + why;
        }
    }

    /** Those rows, in order; one more than {@link #MAX_HELD_CHANNELS} if there are more. */
    static List<Held> held(Session session, String topic) {
        return session.rows(HELD, SpoolRows::held, topic, (int) Envelope.VERSION);
    }

    /** What they hold up. */
    static Set<String> channels(List<Held> rows) {
        return rows.stream().map(Held::channel).collect(Collectors.toUnmodifiableSet());
    }

    private static Held held(Readable row) {
        return new Held(
                Objects.requireNonNull(row.get("seq", Long.class), "seq"),
                Objects.requireNonNull(row.get("channel", String.class), "channel"),
                Objects.requireNonNull(row.get("event_id", String.class), "event_id"),
                String.valueOf(row.get("unread_why", String.class)));
    }
}

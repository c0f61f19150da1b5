package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.postgres.Session;
import dev.tidegate.ingest.relay.RelayRow;
import dev.tidegate.ingest.relay.RelayTable;
import dev.tidegate.postgres.PostgresServer;
import dev.tidegate.protocol.ProtocolException;
import io.r2dbc.spi.Readable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** The spool as the relay sees it. Several may be held one after the other; each is for one thread. */
public final class SpoolTable implements RelayTable {
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(10);

    // The sum stops the reading of payloads, not that of rows: so many are small.
    private static final String NEXT = """
            SELECT seq, channel, event_id, accepted_at, envelope, payload FROM (
                SELECT *, sum(bytes) OVER (ORDER BY seq) - bytes AS before
                FROM ingest.spool AS s WHERE %s ORDER BY seq LIMIT $3) AS head
            WHERE before < $4 ORDER BY seq""".formatted(SpoolRows.RELAYABLE);

    private final PostgresServer server;
    private final Duration connectWithin;
    private final String topic;
    private final long lock;

    SpoolTable(SpoolContext context) {
        this.server = context.server();
        this.connectWithin = context.postgres().connectWithin();
        this.topic = context.floor().topic();
        this.lock = Floor.lock("tidegate relay spool " + topic);
    }

    @Override
    public String name() {
        return "spool";
    }

    @Override
    public Optional<Held> hold() {
        Session session = Session.open(server, "tidegate-ingest-relay", connectWithin, ANSWER_WITHIN);
        try {
            if (session.isTrue("SELECT pg_try_advisory_lock($1)", lock)) {
                return Optional.of(new Ours(session));
            }
        } catch (RuntimeException e) {
            session.close();
            throw e;
        }
        session.close();
        return Optional.empty();
    }

    /** The lock is the session's: it ends with it. */
    private final class Ours implements Held {
        private final Session session;

        Ours(Session session) {
            this.session = session;
        }

        @Override
        public Next next(int maxRows, long maxBytes) {
            List<RelayRow> rows = new ArrayList<>();
            Map<String, Unread> unread = new LinkedHashMap<>(); // by channel, at most one for each of maxRows
            for (Row row : session.rows(NEXT, SpoolTable::row, topic, (int) Envelope.VERSION, maxRows, maxBytes)) {
                if (unread.containsKey(row.channel)) {
                    continue; // behind it
                }
                try {
                    rows.add(row.read());
                } catch (IllegalArgumentException | ProtocolException e) {
                    unread.put(row.channel, new Unread(row.seq, row.channel, String.valueOf(e.getMessage())));
                }
            }
            return new Next(rows, List.copyOf(unread.values()));
        }

        @Override
        public void passOver(Unread row) {
            var _ = session.update(
                    "UPDATE ingest.spool SET unread_by = $3, unread_why = $4 WHERE topic = $1 AND seq = $2",
                    topic,
                    row.seq(),
                    (int) Envelope.VERSION,
                    row.why().replace("\0", ""));
        }

        @Override
        public boolean keepsUnread() {
            return session.isTrue(
                    "SELECT EXISTS (SELECT 1 FROM ingest.spool WHERE " + SpoolRows.UNREAD + ")", topic, (int)
                            Envelope.VERSION);
        }

        @Override
        public Optional<String> digest(long seq) {
            return session
                    .rows(
                            "SELECT seq, event_id, accepted_at FROM ingest.spool WHERE topic = $1 AND seq = $2",
                            row -> RelayRow.digest(
                                    number(row, "seq"),
                                    needed(row, "event_id", String.class),
                                    number(row, "accepted_at")),
                            topic,
                            seq)
                    .stream()
                    .findFirst();
        }

        @Override
        public void delete(List<Long> seqs) {
            var _ = session.update(
                    "DELETE FROM ingest.spool WHERE topic = $1 AND seq = ANY($2)", topic, seqs.toArray(Long[]::new));
        }

        @Override
        public void setAside(long seq, String why) {
            var _ = session.update(
                    "UPDATE ingest.spool SET fault = $3 WHERE topic = $1 AND seq = $2",
                    topic,
                    seq,
                    why.replace("\0", ""));
        }

        @Override
        public void close() {
            session.close();
        }
    }

    /** What the columns hold; that the envelope can be read is not yet said. */
    private record Row(long seq, String channel, String eventId, byte[] envelope, byte[] payload, long millis) {
        RelayRow read() {
            return new RelayRow(seq, Envelope.decode(channel, eventId, envelope, payload), millis);
        }
    }

    private static Row row(Readable row) {
        return new Row(
                number(row, "seq"),
                needed(row, "channel", String.class),
                needed(row, "event_id", String.class),
                needed(row, "envelope", byte[].class),
                needed(row, "payload", byte[].class),
                number(row, "accepted_at"));
    }

    private static long number(Readable row, String column) {
        return needed(row, column, Long.class);
    }

    private static <T> T needed(Readable row, String column, Class<T> type) {
        return Objects.requireNonNull(row.get(column, type), column);
    }
}

package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.postgres.Session;
import dev.tidegate.ingest.relay.RelayRow;
import dev.tidegate.ingest.relay.RelayTable;
import dev.tidegate.postgres.PostgresServer;
import io.r2dbc.spi.Readable;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** The spool as the relay sees it. Several may be held one after the other; each is for one thread. */
public final class SpoolTable implements RelayTable {
    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(10);

    // The sum stops the reading of payloads, not that of rows: so many are small.
    private static final String NEXT = """
            SELECT seq, channel, event_id, accepted_at, envelope, payload FROM (
                SELECT *, sum(bytes) OVER (ORDER BY seq) - bytes AS before
                FROM ingest.spool WHERE topic = $1 AND fault IS NULL ORDER BY seq LIMIT $2) AS head
            WHERE before < $3 ORDER BY seq""";

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
        public List<RelayRow> next(int maxRows, long maxBytes) {
            return session.rows(NEXT, SpoolTable::row, topic, maxRows, maxBytes);
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

    private static RelayRow row(Readable row) {
        return new RelayRow(
                number(row, "seq"),
                Envelope.decode(
                        needed(row, "channel", String.class),
                        needed(row, "event_id", String.class),
                        needed(row, "envelope", byte[].class),
                        needed(row, "payload", byte[].class)),
                number(row, "accepted_at"));
    }

    private static long number(Readable row, String column) {
        return needed(row, column, Long.class);
    }

    private static <T> T needed(Readable row, String column, Class<T> type) {
        return Objects.requireNonNull(row.get(column, type), column);
    }
}

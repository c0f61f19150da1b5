package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.ingest.postgres.PostgresFailure;
import dev.tidegate.ingest.postgres.Session;
import dev.tidegate.ingest.publish.Wakeup;
import dev.tidegate.postgres.PostgresServer;
import dev.tidegate.postgres.Schema;
import io.r2dbc.spi.Readable;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows what is in the spool, and holds the floor for this instance while it writes to Kafka directly (ADR 114). It prepares
 * the schema first, however long that may have to wait. One thread with one connection, on which it also listens for
 * notifications; between them it looks every second.
 */
public final class SpoolWatch implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SpoolWatch.class);

    private static final Schema SCHEMA = new Schema("ingest");

    private static final Duration ANSWER_WITHIN = Duration.ofSeconds(3);

    /** A count of many rows takes a while; it is not made more often than this many times what it took. */
    private static final int COUNT_SHARE = 10;

    /** So few rows are relayed within a moment, for which events may wait. */
    private static final long NEARLY_EMPTY = 1_000;

    /** Between two looks while events wait for the end of the spool. */
    private static final long LOOK_CLOSING_MILLIS = 20;

    /** Others need a moment to hear that, and to commit what they have begun. */
    private static final long GRACE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    /** Between two attempts; each takes a second at most. */
    private static final long CLOSE_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(2);

    private static final String COUNT = """
            SELECT count(*) FILTER (WHERE fault IS NULL), coalesce(sum(bytes), 0)::bigint,
                coalesce(min(accepted_at) FILTER (WHERE fault IS NULL), 0), count(fault)
            FROM ingest.spool WHERE topic = $1""";

    private static final String ANY = "SELECT EXISTS (SELECT 1 FROM ingest.spool WHERE topic = $1 AND fault IS NULL)";

    private final PostgresServer server;
    private final PostgresSettings postgres;
    private final SpoolSettings settings;
    private final Floor floor;
    private final SpoolDepth depth;
    private final Deliveries deliveries;
    private final Runnable wakeRelay;
    private final Wakeup wakeup = new Wakeup();

    private final AtomicBoolean migrated;
    private volatile boolean busy; // at the last look
    private volatile boolean asked; // another instance has to spool
    private volatile boolean askedHere; // our own writer waits for the floor
    private volatile boolean invited; // another instance lets its events wait
    private volatile boolean gone; // the connection
    private volatile String detail = "not yet looked at";
    private volatile boolean closing;
    private @Nullable Thread thread;

    // By the thread alone.
    private boolean holding; // the floor
    private boolean everContended;
    private long contendedAt;
    private boolean everClosed;
    private long closedAt;
    private long countAt;
    private boolean counted;
    private @Nullable String told;

    /**
     * Not yet started.
     *
     * @param wakeRelay called when there are new rows; must return at once
     */
    SpoolWatch(SpoolContext context, Deliveries deliveries, Runnable wakeRelay) {
        this.server = context.server();
        this.postgres = context.postgres();
        this.settings = context.settings();
        this.floor = context.floor();
        this.depth = context.depth();
        this.migrated = context.migrated();
        this.deliveries = deliveries;
        this.wakeRelay = wakeRelay;
    }

    /** Starts the thread. */
    public void start() {
        deliveries.onChange(this::look);
        thread = Thread.ofPlatform().daemon().name("spool-watch").start(this::run);
    }

    /** Whether there were rows at the last look. */
    public boolean busy() {
        return busy;
    }

    /** For people: what is known of PostgreSQL. */
    public String detail() {
        return detail;
    }

    /** Asks for a look now. Any thread. */
    public void look() {
        wakeup.wake();
    }

    private void run() {
        while (!closing) {
            try {
                prepare();
                watch();
            } catch (InterruptedException e) {
                return;
            } catch (RuntimeException e) {
                if (closing || Thread.interrupted()) {
                    return;
                }
                away(e);
            }
            holding = false;
            try {
                Thread.sleep(postgres.retry());
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private void prepare() {
        if (!migrated.get()) {
            int count = SCHEMA.migrate(server);
            migrated.set(true);
            log.info("PostgreSQL at {}: schema {} is ready ({} migrations applied)", server, SCHEMA.name(), count);
        }
    }

    private void away(RuntimeException e) {
        String why = PostgresServer.reason(e);
        if ("42P01".equals(sqlState(e))) {
            migrated.set(false); // the table is gone: the database came back empty
        }
        detail = "PostgreSQL at " + server + ": " + why;
        if (!why.equals(told)) {
            told = why;
            log.warn("No spool: PostgreSQL at {} does not answer ({})", server, why);
        }
        deliveries.spoolAway();
    }

    private static @Nullable String sqlState(RuntimeException e) {
        return e instanceof PostgresFailure f ? f.sqlState() : null;
    }

    private void watch() throws InterruptedException {
        try (Session session = Session.open(server, "tidegate-ingest-watch", postgres.connectWithin(), ANSWER_WITHIN)) {
            holding = false;
            gone = false;
            session.listen(Floor.CHANNEL, this::heard, () -> {
                gone = true;
                look();
            });
            while (!closing) {
                if (gone) {
                    throw new IllegalStateException("the connection has ended");
                }
                look(session);
                if (told != null) {
                    told = null;
                    log.info("PostgreSQL at {} answers: there is a spool", server);
                }
                detail = "PostgreSQL at " + server;
                long pause = deliveries.closing()
                        ? LOOK_CLOSING_MILLIS
                        : settings.poll().toMillis();
                wakeup.await(pause);
            }
        }
    }

    private void heard(String what) {
        if (what.startsWith(floor.spooling())) {
            if (what.endsWith(floor.instance())) {
                askedHere = true;
            } else {
                asked = true;
            }
            look();
        } else if (what.equals(floor.rows())) {
            if (busy && !deliveries.direct()) {
                wakeRelay.run(); // nothing new, except for the relay
            } else {
                look();
            }
        } else if (what.equals(floor.closing())) {
            invited = true;
            look();
        }
    }

    private void look(Session session) {
        boolean contended = asked;
        asked = false;
        boolean contendedHere = askedHere;
        askedHere = false;
        boolean close = invited;
        invited = false;
        long now = System.nanoTime();
        if (contended) {
            everContended = true;
            contendedAt = now;
            deliveries.spoolBusy(); // when it returns, nobody passes by any more
            letGo(session);
        }
        long rows = count(session);
        busy = rows > 0;
        boolean settled =
                !everContended || now - contendedAt >= settings.settle().toNanos();
        if (rows > 0) {
            deliveries.spoolHasRows();
            letGo(session);
            wakeRelay.run();
            if (settled && (close || rows <= NEARLY_EMPTY)) {
                close(session, close);
            }
        } else if (contended || contendedHere || !deliveries.wantsFloor()) {
            letGo(session);
            if (!contended) {
                deliveries.spoolEmpty();
            }
        } else if (holding) {
            deliveries.spoolClear();
        } else if (settled && deliveries.keeping() == 0 && !(deliveries.closing() && now - closedAt < GRACE_NANOS)) {
            take(session);
        } else {
            deliveries.spoolEmpty();
            if (settled) {
                close(session, close);
            }
        }
    }

    /** Lets events wait for the end of the spool, here and, by a word to them, in all instances that drain. */
    private void close(Session session, boolean wasInvited) {
        long now = System.nanoTime();
        boolean tooSoon = !wasInvited && everClosed && now - closedAt < CLOSE_AGAIN_NANOS; // invited: all at once
        if (deliveries.mayRelay() && !deliveries.closing() && !tooSoon) {
            everClosed = true;
            closedAt = now;
            if (!wasInvited) {
                session.tell(Floor.CHANNEL, floor.closing());
            }
            deliveries.spoolNearlyEmpty();
        }
    }

    /** Takes the floor, and looks again: what was inserted before is there now, and nothing comes after. */
    private void take(Session session) {
        holding = session.isTrue("SELECT pg_try_advisory_lock_shared($1)", floor.lock());
        if (holding && !session.isTrue(ANY, floor.topic())) {
            deliveries.spoolClear();
            if (!deliveries.direct()) {
                letGo(session); // something came between; else our own writer would wait for us
            }
        } else {
            letGo(session);
            deliveries.spoolEmpty();
        }
    }

    private void letGo(Session session) {
        if (holding) {
            var _ = session.isTrue("SELECT pg_advisory_unlock_shared($1)", floor.lock());
            holding = false;
        }
    }

    /** How many rows there are; between two counts, only whether there are some: as many as were counted last. */
    private long count(Session session) {
        long start = System.nanoTime();
        if (counted && start - countAt < 0) {
            return session.isTrue(ANY, floor.topic()) ? Math.max(1, depth.rows()) : 0;
        }
        long rows = session.row(
                COUNT,
                row -> {
                    long n = longAt(row, 0);
                    depth.counted(n, longAt(row, 1), longAt(row, 2), longAt(row, 3));
                    return n;
                },
                floor.topic());
        long took = System.nanoTime() - start;
        countAt = System.nanoTime() + Math.max(settings.poll().toNanos(), COUNT_SHARE * took);
        counted = true;
        return rows;
    }

    private static long longAt(Readable row, int index) {
        Long value = row.get(index, Long.class);
        return value == null ? 0 : value;
    }

    @Override
    public void close() {
        closing = true;
        Thread t = thread;
        if (t != null) {
            t.interrupt();
        }
    }
}

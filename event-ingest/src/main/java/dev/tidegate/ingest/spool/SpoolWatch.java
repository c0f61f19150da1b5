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
import java.util.List;
import java.util.Set;
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

    /** Between two warnings of the same rows that cannot be read. */
    private static final long WARN_NANOS = TimeUnit.MINUTES.toNanos(5);

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
    private boolean warned;
    private long warnedAt;

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
        // Before the rows are counted: what is no longer held up in between is counted.
        List<SpoolRows.Held> held = held(session);
        boolean tooMany = held.size() > SpoolRows.MAX_HELD_CHANNELS;
        long rows = count(session) + (tooMany ? NEARLY_EMPTY + 1 : 0);
        busy = rows > 0;
        boolean settled =
                !everContended || now - contendedAt >= settings.settle().toNanos();
        if (rows > 0) {
            deliveries.spoolHasRows();
            deliveries.spoolHolds(SpoolRows.channels(held)); // after it: what was held up may be among the rows
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
            deliveries.spoolHolds(SpoolRows.channels(held)); // before it: nothing passes them by
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
        Set<String> held = holding ? SpoolRows.channels(held(session)) : Set.of();
        if (holding
                && held.size() <= SpoolRows.MAX_HELD_CHANNELS
                && !session.isTrue(SpoolRows.ANY, floor.topic(), (int) Envelope.VERSION)) {
            deliveries.spoolHolds(held);
            deliveries.spoolClear();
            if (!deliveries.direct()) {
                letGo(session); // something came between; else our own writer would wait for us
            }
        } else {
            letGo(session);
            deliveries.spoolEmpty();
        }
    }

    /** The rows that cannot be read here; said aloud now and then, as long as there are any. */
    private List<SpoolRows.Held> held(Session session) {
        List<SpoolRows.Held> held = SpoolRows.held(session, floor.topic());
        depth.heldUpBy(held);
        long now = System.nanoTime();
        if (held.isEmpty()) {
            warned = false;
        } else if (!warned || now - warnedAt >= WARN_NANOS) {
            warned = true;
            warnedAt = now;
            log.warn(
                    "{} rows of ingest.spool cannot be read by this version and hold up their channels; first: {}",
                    held.size(),
                    held.getFirst());
        }
        return held;
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
            return session.isTrue(SpoolRows.ANY, floor.topic(), (int) Envelope.VERSION)
                    ? Math.max(1, depth.relayable())
                    : 0;
        }
        long rows = session.row(
                SpoolRows.COUNT,
                row -> {
                    long n = longAt(row, 0);
                    long held = longAt(row, 4);
                    depth.counted(n, longAt(row, 1), longAt(row, 2), longAt(row, 3), held);
                    return n - held;
                },
                floor.topic(),
                (int) Envelope.VERSION);
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

package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.ingest.delivery.SpoolQueue;
import dev.tidegate.ingest.postgres.PostgresFailure;
import dev.tidegate.ingest.postgres.Session;
import dev.tidegate.ingest.publish.BurstLog;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.postgres.PostgresServer;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts events into the spool, one transaction after the other, each with all that has come meanwhile (up to a bound), on a
 * thread and a connection of its own. So the order of this instance's events is the order of their rows.
 *
 * <p>{@link #keep} is for any thread. Nothing waits longer than the insert timeout: while PostgreSQL does not answer, the
 * first transaction finds that out, and from then on everything is refused at once until a connection is there again.
 */
public final class SpoolWriter implements SpoolQueue, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SpoolWriter.class);

    /** Rows of one transaction: beyond some hundred, one {@code fsync} more does not show. */
    private static final int MAX_BATCH = 256;

    private static final long MAX_BATCH_BYTES = 4 << 20;

    /** A failed transaction is tried again at once, on a new connection, if it failed as quickly as a broken one does. */
    private static final long QUICK_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    /** After an insert has had to go on without the floor, the next ones do not wait for it. */
    private static final long FLOORLESS_NANOS = TimeUnit.SECONDS.toNanos(10);

    private static final Duration MIGRATED_LOOK = Duration.ofMillis(100);

    private static final String BEHIND_HELD = "SELECT count(DISTINCT channel) FROM (SELECT channel FROM ingest.spool"
            + " WHERE " + SpoolRows.UNREAD + " AND channel = ANY($3) ORDER BY seq FOR SHARE) AS ahead";

    private static final String LOCK_NOT_AVAILABLE = "55P03";

    /** Room that a row takes beside its payload; about. */
    static final int ROW_BYTES = 300;

    private record Item(Event event, long millis, boolean doubtful, long deadline, CompletableFuture<Kept> kept) {
        int bytes() {
            return event.payload().length + ROW_BYTES;
        }
    }

    private final PostgresServer server;
    private final PostgresSettings postgres;
    private final SpoolSettings settings;
    private final Floor floor;
    private final SpoolDepth depth;
    private final AtomicBoolean migrated;
    private final Counter spooled;
    private final Counter doubtful;
    private final BurstLog failures = new BurstLog(log);

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition some = lock.newCondition();
    private final ArrayDeque<Item> queue = new ArrayDeque<>(); // guarded by lock, bounded by maxWaiting
    private long queuedBytes; // guarded by lock

    private volatile boolean available;
    private volatile boolean closing;
    private @Nullable Thread thread;

    // By the thread alone.
    private @Nullable Session session;
    private boolean floorless;
    private long floorlessUntil;

    /** Not yet started. */
    SpoolWriter(SpoolContext context, MeterRegistry meters) {
        this.server = context.server();
        this.postgres = context.postgres();
        this.settings = context.settings();
        this.floor = context.floor();
        this.depth = context.depth();
        this.migrated = context.migrated();
        this.spooled = Counter.builder("tidegate.ingest.spool.events")
                .description("Events committed to the spool by this instance")
                .register(meters);
        this.doubtful = Counter.builder("tidegate.ingest.spool.doubtful")
                .description("Those of them that Kafka may have already")
                .register(meters);
    }

    /** Starts the thread. */
    public void start() {
        thread = Thread.ofPlatform().daemon().name("spool-writer").start(this::run);
    }

    @Override
    public boolean usable() {
        return available && !depth.full();
    }

    @Override
    public boolean roomBehindHeld() {
        return depth.roomBehindHeld();
    }

    @Override
    public CompletableFuture<Kept> keep(Event event, long millis, boolean mayBeStored) {
        Item item = new Item(
                event,
                millis,
                mayBeStored,
                System.nanoTime() + settings.insertTimeout().toNanos(),
                new CompletableFuture<>());
        lock.lock();
        try {
            // Under the lock: whoever takes the spool away answers all that stands here then, and nothing comes after
            // that.
            if (!available || closing) {
                return CompletableFuture.completedFuture(Kept.AWAY);
            }
            if (depth.full()) {
                return CompletableFuture.completedFuture(Kept.FULL);
            }
            if (queue.size() >= settings.maxWaiting()
                    || queuedBytes + item.bytes() > settings.maxWaitingSize().toBytes()) {
                return CompletableFuture.completedFuture(Kept.LATE);
            }
            queue.add(item);
            queuedBytes += item.bytes();
            some.signal();
        } finally {
            lock.unlock();
        }
        return item.kept;
    }

    private void run() {
        while (!closing) {
            try {
                if (session == null) {
                    if (!migrated.get()) {
                        pause(MIGRATED_LOOK);
                        continue;
                    }
                    connect();
                }
                List<Item> batch = nextBatch();
                if (batch.isEmpty()) {
                    connected().row("SELECT 1", row -> true); // nobody waits, so nobody else would notice
                } else {
                    write(batch);
                }
            } catch (PostgresFailure e) {
                lose(e);
                pause(postgres.retry());
            } catch (RuntimeException e) {
                log.error("The spool's writer failed", e);
                lose(e);
                pause(postgres.retry());
            }
        }
        refuseAll();
    }

    private void connect() {
        Session fresh =
                Session.open(server, "tidegate-ingest-spool", postgres.connectWithin(), settings.insertTimeout());
        session = fresh;
        // An accepted event must survive a crash of the server, whatever its default is.
        if (fresh.row("SELECT current_setting('synchronous_commit')", row -> text(row.get(0)))
                .equals("off")) {
            var _ = fresh.update("SET synchronous_commit = 'on'");
        }
        // Ours never idles inside a transaction; if it does we are frozen, and others wait for the floor.
        var _ = fresh.update("SET idle_in_transaction_session_timeout = '10s'");
        available = true;
    }

    private static String text(@Nullable Object value) {
        return String.valueOf(value);
    }

    private Session connected() {
        Session s = session;
        if (s == null) {
            throw new IllegalStateException("not connected");
        }
        return s;
    }

    /** What has come, in order, within a transaction's bounds; what has waited too long is answered. Empty after a while. */
    private List<Item> nextBatch() {
        List<Item> batch = new ArrayList<>();
        List<Item> late = new ArrayList<>();
        lock.lock();
        try {
            long left = settings.poll().toNanos();
            while (queue.isEmpty() && session != null && left > 0) {
                left = some.awaitNanos(left);
            }
            long bytes = 0;
            long now = System.nanoTime();
            while (!queue.isEmpty() && batch.size() < MAX_BATCH && session != null) {
                Item next = queue.peek();
                if (!batch.isEmpty() && bytes + next.bytes() > MAX_BATCH_BYTES) {
                    break;
                }
                queue.remove();
                queuedBytes -= next.bytes();
                if (now - next.deadline >= 0) {
                    late.add(next);
                } else {
                    bytes += next.bytes();
                    batch.add(next);
                }
            }
        } catch (InterruptedException e) {
            closing = true;
        } finally {
            lock.unlock();
        }
        late.forEach(item -> item.kept.complete(Kept.LATE));
        return batch;
    }

    private void write(List<Item> batch) {
        long start = System.nanoTime();
        boolean[] committing = new boolean[1];
        try {
            insert(batch, committing);
        } catch (PostgresFailure first) {
            if (committing[0] || System.nanoTime() - start > QUICK_NANOS) {
                answer(batch, committing[0] ? Kept.IN_DOUBT : Kept.AWAY);
                throw first;
            }
            drop();
            try {
                connect();
                insert(batch, committing);
            } catch (PostgresFailure second) {
                answer(batch, committing[0] ? Kept.IN_DOUBT : Kept.AWAY);
                throw second;
            } catch (RuntimeException e) {
                answer(batch, Kept.AWAY);
                throw e;
            }
        } catch (RuntimeException e) {
            answer(batch, committing[0] ? Kept.IN_DOUBT : Kept.AWAY);
            throw e;
        }
        long bytes = 0;
        for (Item item : batch) {
            bytes += item.bytes();
            spooled.increment();
            if (item.doubtful) {
                doubtful.increment();
            }
        }
        depth.inserted(batch.size(), bytes);
        answer(batch, Kept.COMMITTED);
    }

    private static void answer(List<Item> batch, Kept kept) {
        batch.forEach(item -> item.kept.complete(kept));
    }

    private void insert(List<Item> batch, boolean[] committing) {
        Session s = connected();
        s.begin();
        boolean passing = takeFloor(s, batch);
        int from = 0;
        while (from < batch.size()) {
            // Powers of two, so that few statements are ever prepared.
            int count = Integer.highestOneBit(batch.size() - from);
            insert(s, batch.subList(from, from + count));
            from += count;
        }
        if (passing) {
            s.tell(Floor.CHANNEL, floor.rows());
        }
        committing[0] = true;
        s.commit();
        committing[0] = false;
    }

    /**
     * So that nobody passes by what we are about to insert; held to the end of the transaction (ADR 114). Not needed where
     * all of it goes behind rows that hold up their channels: nobody passes those by.
     *
     * @return whether it is for the relay
     */
    private boolean takeFloor(Session s, List<Item> batch) {
        boolean taken = s.isTrue("SELECT pg_try_advisory_xact_lock($1)", floor.lock());
        if (taken || (floorless && System.nanoTime() - floorlessUntil < 0)) {
            return true;
        }
        if (isBehindHeld(s, batch)) {
            return false;
        }
        s.rollback();
        // By itself, since a notification is sent at the end of its transaction.
        s.tell(Floor.CHANNEL, floor.spooling() + floor.instance());
        s.begin();
        var _ = s.update("SET LOCAL lock_timeout = '" + Floor.WAIT_MILLIS + "ms'");
        try {
            var _ = s.row("SELECT pg_advisory_xact_lock($1)::text", row -> true, floor.lock());
            floorless = false;
        } catch (PostgresFailure e) {
            if (!LOCK_NOT_AVAILABLE.equals(e.sqlState())) {
                throw e;
            }
            floorless = true;
            floorlessUntil = System.nanoTime() + FLOORLESS_NANOS;
            log.warn("Another instance writes to Kafka directly and does not hear that this one spools;"
                    + " events of a publisher that uses both may be stored out of order");
            s.rollback();
            s.begin();
        }
        return true;
    }

    /** The rows ahead are locked until we commit: whoever relays or releases them waits for ours, and then finds them. */
    private boolean isBehindHeld(Session s, List<Item> batch) {
        String[] channels = batch.stream()
                .map(item -> item.event.channel().value())
                .distinct()
                .toArray(String[]::new);
        long held = s.row(
                BEHIND_HELD,
                row -> Objects.requireNonNull(row.get(0, Long.class)),
                floor.topic(),
                (int) Envelope.VERSION,
                channels);
        return held == channels.length;
    }

    private void insert(Session s, List<Item> rows) {
        StringBuilder sql = new StringBuilder(160 + 40 * rows.size())
                .append(
                        "INSERT INTO ingest.spool (topic, channel, event_id, accepted_at, doubtful, bytes, envelope, payload)"
                                + " VALUES ");
        List<Object> values = new ArrayList<>(1 + 7 * rows.size());
        values.add(floor.topic());
        for (int i = 0; i < rows.size(); i++) {
            int p = values.size();
            sql.append(i == 0 ? "" : ",").append("($1");
            for (int column = 1; column <= 7; column++) {
                sql.append(",$").append(p + column);
            }
            sql.append(')');
            Item item = rows.get(i);
            values.add(item.event.channel().value());
            values.add(item.event.id());
            values.add(item.millis);
            values.add(item.doubtful);
            values.add(item.bytes());
            values.add(Envelope.encode(item.event));
            values.add(item.event.payload());
        }
        var _ = s.update(sql.toString(), values.toArray());
    }

    private void lose(RuntimeException e) {
        drop();
        refuseAll();
        if (!closing) {
            failures.warn("PostgreSQL at " + server + " does not take events into the spool: " + e.getMessage());
        }
    }

    private void drop() {
        available = false;
        Session s = session;
        session = null;
        if (s != null) {
            s.close();
        }
    }

    private void refuseAll() {
        List<Item> all;
        lock.lock();
        try {
            all = new ArrayList<>(queue);
            queue.clear();
            queuedBytes = 0;
        } finally {
            lock.unlock();
        }
        answer(all, Kept.AWAY);
    }

    private void pause(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            closing = true;
        }
    }

    @Override
    public void close() {
        closing = true;
        available = false;
        Thread t = thread;
        if (t != null) {
            t.interrupt();
        }
    }
}

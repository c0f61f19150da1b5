package dev.tidegate.replay.postgres;

import dev.tidegate.postgres.PostgresServer;
import dev.tidegate.postgres.Schema;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings schema {@code replay} up to date, on a virtual thread, again and again until it has succeeded. Several instances may do
 * so at once.
 *
 * <p>States: idle -> {@link #prepare} -> preparing -> (success) prepared; a failure waits {@code retry} and tries again.
 * prepared -> {@link #prepare} (a table is missing: the database came back empty) -> preparing. Any thread.
 */
final class Migrations implements AutoCloseable {
    /** V1xx of its scripts are the archive's, V2xx the cursors'. */
    static final Schema SCHEMA = new Schema("replay");

    private static final Logger log = LoggerFactory.getLogger(Migrations.class);

    private final PostgresServer server;
    private final Duration retry;
    private final AtomicBoolean preparing = new AtomicBoolean();
    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile boolean prepared;
    private volatile @Nullable Thread thread;
    private @Nullable String told; // the failure told last; of the one thread that prepares

    Migrations(PostgresServer server, Duration retry) {
        this.server = server;
        this.retry = retry;
    }

    /** Whether the schema is there, as far as is known. */
    boolean prepared() {
        return prepared;
    }

    /** Begins to prepare in the background, unless that is under way. */
    void prepare() {
        if (closing.getCount() > 0 && preparing.compareAndSet(false, true)) {
            prepared = false;
            thread = Thread.ofVirtual().name("replay-migrations").start(this::untilPrepared);
        }
    }

    private void untilPrepared() {
        try {
            while (closing.getCount() > 0 && !migrated()) {
                if (closing.await(retry.toMillis(), TimeUnit.MILLISECONDS)) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            preparing.set(false);
        }
    }

    private boolean migrated() {
        try {
            int count = SCHEMA.migrate(server);
            prepared = true;
            told = null;
            log.info("PostgreSQL at {}: schema {} is ready ({} migrations applied)", server, SCHEMA.name(), count);
            return true;
        } catch (RuntimeException e) {
            if (closing.getCount() > 0) {
                tell(e);
            }
            return false;
        }
    }

    /** Once for each cause: an outage repeats the same one for as long as it lasts. */
    private void tell(Throwable e) {
        String why = PostgresServer.reason(e);
        if (!why.equals(told)) {
            told = why;
            log.warn(
                    "PostgreSQL at {}: schema {} cannot be prepared ({}); durable cursors and archive wait for it",
                    server,
                    SCHEMA.name(),
                    why);
        }
    }

    @Override
    public void close() {
        closing.countDown();
        Thread running = thread;
        if (running != null) {
            running.interrupt();
        }
    }
}

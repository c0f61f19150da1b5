package dev.tidegate.replay.postgres;

import dev.tidegate.replay.config.PostgresSettings.Server;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.flywaydb.core.Flyway;
import org.jspecify.annotations.Nullable;
import org.postgresql.ds.PGSimpleDataSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings schema {@code replay} up to date, on a virtual thread, again and again until it has succeeded. Several instances may do
 * so at once: Flyway takes a lock in the database.
 *
 * <p>States: idle -> {@link #prepare} -> preparing -> (success) prepared; a failure waits {@code retry} and tries again.
 * prepared -> {@link #prepare} (a table is missing: the database came back empty) -> preparing. Any thread.
 */
final class Migrations implements AutoCloseable {
    static final String SCHEMA = "replay";

    private static final Logger log = LoggerFactory.getLogger(Migrations.class);

    /** Where the scripts are: V1xx the archive's, V2xx the cursors'. */
    private static final String LOCATION = "classpath:db/replay";

    private static final int CONNECT_SECONDS = 5;

    /** A migration that says nothing for so long is given up; one that rewrites a big table needs a maintenance window anyway. */
    private static final int SILENT_SECONDS = 300;

    private final Server server;
    private final Duration retry;
    private final AtomicBoolean preparing = new AtomicBoolean();
    private final CountDownLatch closing = new CountDownLatch(1);
    private volatile boolean prepared;
    private volatile @Nullable Thread thread;
    private @Nullable String told; // the failure told last; of the one thread that prepares

    Migrations(Server server, Duration retry) {
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
            int count = Flyway.configure(Migrations.class.getClassLoader())
                    .dataSource(dataSource())
                    .schemas(SCHEMA)
                    .defaultSchema(SCHEMA)
                    .createSchemas(true)
                    .table("flyway_history")
                    .locations(LOCATION)
                    .failOnMissingLocations(true)
                    .validateMigrationNaming(true)
                    // Archive and cursors number their scripts apart, and neither waits for the other.
                    .outOfOrder(true)
                    .cleanDisabled(true)
                    .load()
                    .migrate()
                    .migrationsExecuted;
            prepared = true;
            told = null;
            log.info("PostgreSQL at {}: schema {} is ready ({} migrations applied)", server, SCHEMA, count);
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
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String why = String.valueOf(root.getMessage()).lines().findFirst().orElse("");
        if (!why.equals(told)) {
            told = why;
            log.warn(
                    "PostgreSQL at {}: schema {} cannot be prepared ({}); durable cursors and archive wait for it",
                    server,
                    SCHEMA,
                    why);
        }
    }

    private PGSimpleDataSource dataSource() {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setServerNames(new String[] {server.host()});
        source.setPortNumbers(new int[] {server.port()});
        source.setDatabaseName(server.database());
        source.setUser(server.user());
        source.setPassword(server.password());
        if (server.sslMode() != null) {
            source.setSslMode(server.sslMode());
        }
        source.setApplicationName("tidegate-replay-migrations");
        source.setConnectTimeout(CONNECT_SECONDS);
        source.setLoginTimeout(CONNECT_SECONDS);
        source.setSocketTimeout(SILENT_SECONDS);
        return source;
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

package dev.tidegate.ingest.postgres;

import dev.tidegate.ingest.config.PostgresSettings;
import org.flywaydb.core.Flyway;
import org.postgresql.ds.PGSimpleDataSource;

/** Brings schema {@code ingest} up to date. Several instances may do so at once: Flyway takes a lock in the database. */
public final class Migrations {
    /** The schema of this service. */
    public static final String SCHEMA = "ingest";

    private static final int CONNECT_SECONDS = 5;

    /** A migration that says nothing for so long is given up. */
    private static final int SILENT_SECONDS = 300;

    private Migrations() {}

    /**
     * Does what is still to be done; blocks, for seconds.
     *
     * @throws RuntimeException if that cannot be now
     */
    public static int migrate(PostgresSettings.Server server) {
        return Flyway.configure(Migrations.class.getClassLoader())
                .dataSource(dataSource(server))
                .schemas(SCHEMA)
                .defaultSchema(SCHEMA)
                .createSchemas(true)
                .table("flyway_history")
                .locations("classpath:db/ingest")
                .failOnMissingLocations(true)
                .validateMigrationNaming(true)
                // The spool's and the outbox' scripts are numbered apart.
                .outOfOrder(true)
                .cleanDisabled(true)
                .load()
                .migrate()
                .migrationsExecuted;
    }

    private static PGSimpleDataSource dataSource(PostgresSettings.Server server) {
        PGSimpleDataSource source = new PGSimpleDataSource();
        source.setServerNames(new String[] {server.host()});
        source.setPortNumbers(new int[] {server.port()});
        source.setDatabaseName(server.database());
        source.setUser(server.user());
        source.setPassword(server.password());
        if (server.sslMode() != null) {
            source.setSslMode(server.sslMode());
        }
        source.setApplicationName("tidegate-ingest-migrations");
        source.setConnectTimeout(CONNECT_SECONDS);
        source.setLoginTimeout(CONNECT_SECONDS);
        source.setSocketTimeout(SILENT_SECONDS);
        return source;
    }
}

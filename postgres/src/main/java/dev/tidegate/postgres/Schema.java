package dev.tidegate.postgres;

import org.flywaydb.core.Flyway;

/**
 * The schema of a service: its tables, and Flyway's history of them, {@code <name>.flyway_history}. The scripts lie on the class path
 * in {@code db/<name>}.
 *
 * @param name of the schema
 */
public record Schema(String name) {
    private static final int CONNECT_SECONDS = 5;

    /** A migration that says nothing for so long is given up; one that rewrites a big table needs a maintenance window anyway. */
    private static final int SILENT_SECONDS = 300;

    /**
     * Does what is still to be done; blocks, for seconds. Several instances may do so at once: Flyway takes a lock in the database.
     *
     * @return how many scripts were applied
     * @throws RuntimeException if that cannot be now
     */
    public int migrate(PostgresServer server) {
        return Flyway.configure(Schema.class.getClassLoader())
                .dataSource(server.jdbc("tidegate-" + name + "-migrations", CONNECT_SECONDS, SILENT_SECONDS))
                .schemas(name)
                .defaultSchema(name)
                .createSchemas(true)
                .table("flyway_history")
                .locations("classpath:db/" + name)
                .failOnMissingLocations(true)
                .validateMigrationNaming(true)
                // A service's parts number their scripts apart, and none waits for another.
                .outOfOrder(true)
                .cleanDisabled(true)
                .load()
                .migrate()
                .migrationsExecuted;
    }
}

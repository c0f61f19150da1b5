package dev.tidegate.ingest.spool;

import dev.tidegate.ingest.config.PostgresSettings;
import dev.tidegate.ingest.config.SpoolSettings;
import dev.tidegate.postgres.PostgresServer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What the writer and the watch of one instance share. Any thread.
 *
 * @param floor under which names the instances find each other
 * @param depth how much is in the spool
 * @param migrated whether the table is there: set by the watch, waited for by the writer
 */
record SpoolContext(
        PostgresServer server,
        PostgresSettings postgres,
        SpoolSettings settings,
        Floor floor,
        SpoolDepth depth,
        AtomicBoolean migrated) {}

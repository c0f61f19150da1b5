/**
 * The archive: events of the namespaces that ask for it, in PostgreSQL, beyond Kafka's retention. Open in this order: {@code Archiver}
 * writes what {@code kafka.ArchiveFeed} reads (that feed's thread), through {@code ArchiveStore}; {@code ArchiveKeeper} keeps days and
 * coverage (a thread of its own); {@code Archive} is what answers read (any thread, nothing blocks).
 */
@NullMarked
package dev.tidegate.replay.archive;

import org.jspecify.annotations.NullMarked;

package dev.tidegate.ingest.relay;

import java.util.List;
import java.util.Optional;

/**
 * A table whose rows are to be relayed: the spool, an outbox. Its methods block, and throw
 * {@link dev.tidegate.ingest.postgres.PostgresFailure} when the database does not do what it should; what was {@link Held}
 * is then to be closed.
 */
public interface RelayTable {
    /** Its name, part of the names of lock, transaction and group; the same in all instances and at all times. */
    String name();

    /** Takes the table for this instance alone, until it is closed; empty if another instance has it. */
    Optional<Held> hold();

    /**
     * A row that cannot be read here: a later version wrote it, or it is damaged.
     *
     * @param seq its number
     * @param channel what it holds up
     * @param why for people
     */
    record Unread(long seq, String channel, String why) {}

    /**
     * What is next.
     *
     * @param rows to be relayed
     * @param unread the first of each channel that cannot be read; what follows them in their channels is not in {@code rows}
     */
    record Next(List<RelayRow> rows, List<Unread> unread) {}

    /** A table that this instance has. For one thread. */
    interface Held extends AutoCloseable {
        /**
         * The next rows, in the order in which they are to be relayed; they stay until they are deleted. Rows behind one
         * of their channel that has been {@linkplain #passOver passed over} are not among them.
         *
         * @param maxRows at most so many
         * @param maxBytes and together at most so large, the first excepted
         */
        Next next(int maxRows, long maxBytes);

        /** The digest of the row with that number, if it is there. */
        Optional<String> digest(long seq);

        /** Deletes rows, all or none. */
        void delete(List<Long> seqs);

        /**
         * Leaves a row that cannot be read here, and what follows it in its channel, to a relay that can read more, or to a
         * person.
         */
        void passOver(Unread row);

        /** Whether there are rows that have been passed over. */
        boolean keepsUnread();

        /** Leaves a row out from now on, since it can never be relayed; it is kept for whoever looks into it. */
        void setAside(long seq, String why);

        @Override
        void close();
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.DurableCursors.Ack;
import dev.tidegate.protocol.DurableCursors.CursorKey;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.List;
import java.util.function.Consumer;

/** Where durable cursors are kept: behind the replay service in production, in a map in tests. */
public interface DurableStore {
    /**
     * Stores a batch; returns at once.
     *
     * @param batch 1 to {@link DurableCursors#MAX_BATCH}, one for each key
     * @param done called once, from any thread, within a bounded time
     */
    void store(List<Ack> batch, Consumer<Stored> done);

    /**
     * Looks a cursor up; returns at once. Look-ups made within a few milliseconds may travel together.
     *
     * @param done called once, from any thread, within a bounded time
     */
    void find(CursorKey key, Consumer<Found> done);

    /** What became of a batch. */
    sealed interface Stored {
        /** Stored, but for those of these indexes: their subject has its most cursors. */
        record Done(List<Integer> refused) implements Stored {}

        /** Not known to be stored. */
        record Failed(ErrorCode code, String message) implements Stored {}
    }

    /** What a look-up found. */
    sealed interface Found {
        /** Acknowledged up to here. */
        record At(Cursor cursor) implements Found {}

        /** Never acknowledged. */
        record Never() implements Found {}

        /** Not known now ({@code unavailable}), or refused for good (any other code). */
        record Failed(ErrorCode code, String message) implements Found {}
    }

    /**
     * Whose cursor a client means. An anonymous client has none: it would be everybody's.
     *
     * @throws ProtocolException {@code unauthenticated}; {@code bad_request} if the subject or the name cannot be stored
     */
    static CursorKey key(Identity who, String durable, ChannelName channel) {
        String subject = who.subject();
        if (subject == null) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED,
                    "durable: a token is needed (expected: an authenticated subject, whose cursor it is)");
        }
        return new CursorKey(subject, durable, channel);
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ServerFrames.PublishStatus;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Publishes what clients send: through the ingest service in production. */
public interface EventPublisher {
    /** Publishes; returns at once. {@code done} is called once, from any thread. */
    void publish(Identity identity, ClientFrame.Publish frame, Consumer<Outcome> done);

    /** What became of a publish. */
    sealed interface Outcome {
        /**
         * Accepted.
         *
         * @param event the event's id
         * @param status what became of it
         * @param cursor its place in the log; null unless it was stored
         */
        record Accepted(
                String event,
                PublishStatus status,
                @Nullable String cursor) implements Outcome {
            /** Stored if it has a cursor, else spooled. */
            public Accepted(String event, @Nullable String cursor) {
                this(event, cursor == null ? PublishStatus.SPOOLED : PublishStatus.STORED, cursor);
            }
        }

        /** Refused, or not possible now. */
        record Failed(ErrorCode code, String message) implements Outcome {}
    }
}

package dev.tidegate.gateway.resume;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;

/** Where missed events come from: the replay service in production, a scripted one in simulations. */
public interface ReplaySource {
    /**
     * Asks for a channel's missed events. Returns at once; requests made within a few milliseconds may travel together.
     * The listener is called from any one thread at a time, ends with exactly one of {@code end} and {@code failed}, and
     * must not block.
     *
     * @return what cancels the request; after that the listener may still be called a few times, and is to ignore it
     */
    Runnable fetch(Replay.Request request, Listener listener);

    /** Receives the answer to one request. */
    interface Listener {
        /** Whose request it is, by identity: where requests have to wait, those of different owners take turns. */
        default Object turn() {
            return this;
        }

        /** The next event in the channel's order; {@code frame} is the whole frame, ready to be sent on. */
        void event(Cursor cursor, long prev, byte[] frame);

        /** What cannot be replayed; comes before the events that follow it. */
        void gap(Gap gap);

        /** The end of the answer; {@code end.error()} tells whether the service refused. */
        void end(Replay.End end);

        /** The service cannot be reached, broke off or timed out. */
        void failed(String why);
    }
}

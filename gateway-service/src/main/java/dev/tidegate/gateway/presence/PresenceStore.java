package dev.tidegate.gateway.presence;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;

/**
 * What all gateways know of who is where. A gateway's part of a channel stands under a lease, and is worth nothing once that has ended.
 * Calls made by one thread are carried out in their order. Every call returns at once, and completes on any thread within a bounded time;
 * it fails while the store is away.
 */
interface PresenceStore extends AutoCloseable {
    /** Is told of what happens to the store; on any thread, must not block. */
    interface Listener {
        /** It can be used (again); what it holds of this gateway may be nothing, or old. */
        void connected();

        /** It cannot be used. */
        void disconnected();

        /** Somebody came to a watched channel or left it, at whatever gateway. */
        void changed(String channel);
    }

    /**
     * A channel as it is now.
     *
     * @param count of members, all of them
     * @param members number of connections by member key; all if they are no more than the limit of the call, else some of them
     * @param ended gateways whose lease has ended and whose part is still counted: to be cleared
     */
    record State(long count, Map<String, Long> members, List<String> ended) {}

    /**
     * What a renewal found.
     *
     * @param held whether this gateway's part is still there; if not, it has to be told anew
     * @param version changes whenever somebody comes or leaves
     * @param ended see {@link State}
     */
    record Renewal(boolean held, long version, List<String> ended) {}

    /** Connects in the background, and again whenever it must. */
    void start(Listener listener);

    /** Whether members of a channel, and changes to it, are to be told to the listener. */
    void watch(String channel, boolean wanted);

    /**
     * Tells this gateway's part of a channel, or what has changed of it; its lease begins, or begins again.
     *
     * @param connections by member key; 0: none any more
     * @param anew whether this is the (first of the) whole part, and what else stands there of this gateway is old
     * @return completes with false, and nothing done, if the part is not there to be changed: it has to be told anew
     */
    CompletionStage<Boolean> update(String channel, Map<String, Integer> connections, boolean anew);

    /** Renews this gateway's lease on a channel. */
    CompletionStage<Renewal> renew(String channel);

    /** Reads a channel; {@code limit}: most members wanted. */
    CompletionStage<State> read(String channel, int limit);

    /** Clears a part of what a gateway whose lease has ended left; completes with whether something is left. */
    CompletionStage<Boolean> clear(String channel, String gateway);

    /** Lets this gateway's lease on a channel end after the grace: it is going down, and its clients go elsewhere. */
    CompletionStage<?> release(String channel);

    @Override
    void close();
}

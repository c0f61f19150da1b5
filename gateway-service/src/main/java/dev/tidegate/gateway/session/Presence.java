package dev.tidegate.gateway.session;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.PresenceMember;
import java.util.List;
import java.util.function.Consumer;

/**
 * Who is where, across gateways: in Redis in production. A shard tells who came and went; whoever is told about in return comes by
 * {@link LoopShard#announce}.
 */
public interface Presence {
    /** Whether this channel's namespace has presence. Any thread. */
    boolean covers(ChannelName channel);

    /**
     * Takes what changed on one loop since the last call; returns at once. Any thread.
     *
     * @param loop the shard's index
     */
    void changed(int loop, List<Change> changes);

    /** Asks who is there; returns at once. {@code done} is called once, from any thread, within a bounded time. */
    void ask(ChannelName channel, Consumer<Answer> done);

    /**
     * How many more (or, if negative, fewer) connections a member has in a channel.
     *
     * @param connections not 0
     */
    record Change(ChannelName channel, PresenceMember member, int connections) {}

    /** One who is there. */
    record Present(PresenceMember member, long connections) {}

    /** The answer to {@link #ask}. */
    sealed interface Answer {
        /**
         * Who is there.
         *
         * @param count all of them
         * @param members the first of them, in no order; all of them if they are no more than the limit
         */
        record Members(long count, List<Present> members) implements Answer {}

        /** Not known now. */
        record Failed(ErrorCode code, String message) implements Answer {}
    }

    /** No namespace has presence. */
    Presence NONE = new Presence() {
        @Override
        public boolean covers(ChannelName channel) {
            return false;
        }

        @Override
        public void changed(int loop, List<Change> changes) {
            throw new IllegalStateException("nothing is covered");
        }

        @Override
        public void ask(ChannelName channel, Consumer<Answer> done) {
            throw new IllegalStateException("nothing is covered");
        }
    };
}

package dev.tidegate.gateway.presence;

import dev.tidegate.gateway.session.Presence.Answer;
import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** A channel that has members here, or is asked about. Plain state; confined to the directory's thread. */
final class LocalChannel {
    /** A member's connections here. */
    static final class Local {
        int connections;

        /** What the store was told last. */
        int told;

        /** When it counts as gone, once it has no connections; by {@link System#nanoTime}. */
        long goneAt;
    }

    final ChannelName name;
    final Map<String, Local> members = new HashMap<>();

    /** Members whose connections differ from what the store was told, in the order of their first change. */
    final LinkedHashSet<String> untold = new LinkedHashSet<>();

    /** Connections by loop: who is to be told of others. */
    final int[] perLoop;

    /** Questions for the next read. */
    List<Consumer<Answer>> asks = new ArrayList<>(0);

    /** Who is in the channel as far as its members here have been told; null: not known, or more than are told. */
    @Nullable
    Set<String> view;

    boolean watched;
    boolean updating;
    boolean reading;
    boolean renewing;
    boolean clearing;

    /** Whether nothing stands in the store of this gateway, or nothing that counts. */
    boolean anew = true;

    /** Whether it is to be read, to tell members of others. */
    boolean stale;

    long readNotBefore;
    long renewAt;
    long version;

    /** Until then other gateways may not have told their parts anew: nobody is taken to have left. */
    long settlesAt;

    LocalChannel(ChannelName name, int loops) {
        this.name = name;
        this.perLoop = new int[loops];
    }

    /** Whether nothing is left to do for it. */
    boolean isIdle() {
        return members.isEmpty()
                && untold.isEmpty()
                && asks.isEmpty()
                && !updating
                && !reading
                && !renewing
                && !clearing;
    }
}

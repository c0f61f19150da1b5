package dev.tidegate.gateway.session;

import dev.tidegate.gateway.session.Presence.Answer;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.PresenceMember;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.ServerFrames;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Who came and went on one loop, gathered for a moment: whoever leaves and comes back within it has not moved, and a storm is a few
 * large tasks instead of many small ones. Bounded by the loop's subscriptions, and those that ended within the moment. Loop-confined.
 */
final class PresenceChanges {
    static final long WINDOW_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

    private record Place(ChannelName channel, PresenceMember member) {}

    private final LoopShard shard;
    private LinkedHashMap<Place, Integer> gathered = new LinkedHashMap<>();
    private boolean windowOpen;

    PresenceChanges(LoopShard shard) {
        this.shard = shard;
    }

    void joined(ChannelName channel, PresenceMember member) {
        gather(channel, member, 1);
    }

    void left(ChannelName channel, PresenceMember member) {
        gather(channel, member, -1);
    }

    private void gather(ChannelName channel, PresenceMember member, int connections) {
        gathered.merge(new Place(channel, member), connections, PresenceChanges::sum);
        if (!windowOpen) {
            windowOpen = true;
            var _ = shard.loop.schedule(
                    () -> {
                        windowOpen = false;
                        flush();
                    },
                    WINDOW_NANOS,
                    TimeUnit.NANOSECONDS);
        }
    }

    private static @Nullable Integer sum(Integer a, Integer b) {
        return a + b == 0 ? null : Integer.valueOf(a + b);
    }

    private void flush() {
        if (gathered.isEmpty()) {
            return;
        }
        List<Presence.Change> changes = new ArrayList<>(gathered.size());
        for (Map.Entry<Place, Integer> e : gathered.entrySet()) {
            changes.add(new Presence.Change(e.getKey().channel(), e.getKey().member(), e.getValue()));
        }
        gathered = new LinkedHashMap<>();
        shard.shared.presence().changed(shard.index, changes);
    }

    /** A client's question; what it did just before is told first, so that it finds itself in the answer. */
    void onFrame(Session session, ClientFrame.Presence frame) {
        String channel = frame.channel().value();
        try {
            shard.shared.access().checkSubscribe(session.identity(), frame.channel());
            if (!shard.shared.presence().covers(frame.channel())) {
                throw new ProtocolException(
                        ErrorCode.FORBIDDEN,
                        "channel: namespace '" + frame.channel().namespace() + "' has no presence");
            }
        } catch (ProtocolException e) {
            session.sendError(frame.id(), e.code(), e.text(), channel);
            return;
        }
        flush();
        shard.shared
                .presence()
                .ask(
                        frame.channel(),
                        answer -> session.onLoop(() -> {
                            switch (answer) {
                                case Answer.Members m -> {
                                    ServerFrames.presenceHead(shard.json.clear(), frame.id(), channel, m.count());
                                    for (int i = 0; i < m.members().size(); i++) {
                                        Presence.Present p = m.members().get(i);
                                        ServerFrames.presenceMember(shard.json, i, p.member(), p.connections());
                                    }
                                    ServerFrames.presenceEnd(shard.json);
                                    session.sendJson();
                                }
                                case Answer.Failed f -> session.sendError(frame.id(), f.code(), f.message(), channel);
                            }
                        }));
    }
}

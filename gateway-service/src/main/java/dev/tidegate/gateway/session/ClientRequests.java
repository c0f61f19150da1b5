package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.ServerFrames;
import dev.tidegate.protocol.ServerFrames.Recovery;
import org.jspecify.annotations.Nullable;

/** What a client may ask for, and how it is answered. Stateless: the session is the state. On the session's loop. */
final class ClientRequests {
    private ClientRequests() {}

    static void handle(Session session, ClientFrame frame) {
        if (session.shard.identifications.holds(session, frame)) {
            return;
        }
        if (!session.authenticated() && !(frame instanceof ClientFrame.Connect || frame instanceof ClientFrame.Ping)) {
            session.sendError(
                    frame.id(), ErrorCode.UNAUTHENTICATED, "a connect frame with a token is expected first", null);
            return;
        }
        switch (frame) {
            case ClientFrame.Connect c -> session.shard.identifications.judge(session, c);
            case ClientFrame.Subscribe s -> subscribe(session, s);
            case ClientFrame.Unsubscribe u -> unsubscribe(session, u);
            case ClientFrame.Publish p -> publish(session, p);
            case ClientFrame.Ping p -> {
                ServerFrames.pong(session.shard.json.clear(), p.id());
                session.sendJson();
            }
            case ClientFrame.Ack a -> session.shard.acks.onFrame(session, a);
            case ClientFrame.Presence p -> session.shard.presenceChanges.onFrame(session, p);
        }
    }

    /** The connect frame's token is good. */
    static void identified(Session session, ClientFrame.Connect frame, Identity who) {
        String before = session.identity().subject();
        if (before != null && !before.equals(who.subject())) {
            session.sendError(frame.id(), ErrorCode.FORBIDDEN, "token: its subject is not the connection's", null);
            return;
        }
        session.identified(who);
        session.sendConnected(frame.id());
        joinPersonal(session);
    }

    /**
     * Joins the personal channels of the connection's subject, from now on. A client that wants what it missed there
     * subscribes to them itself, with its position: that takes the place of this.
     */
    static void joinPersonal(Session session) {
        for (ChannelName name : session.shard.shared.access().personalChannels(session.identity())) {
            if (session.find(name) == null) {
                subscribe(session, new ClientFrame.Subscribe(null, name, null, -1, null));
                Subscription joined = session.find(name);
                if (joined != null) {
                    joined.automatic = true;
                }
            }
        }
    }

    private static void publish(Session session, ClientFrame.Publish frame) {
        LoopShard.Shared shared = session.shard.shared;
        String channel = frame.channel().value();
        try {
            shared.access().checkPublish(session.identity(), frame.channel());
        } catch (ProtocolException e) {
            session.sendError(frame.id(), e.code(), e.text(), channel);
            return;
        }
        if (!session.publishStarted()) {
            session.sendError(
                    frame.id(),
                    ErrorCode.RATE_LIMITED,
                    "more than " + shared.limits().maxPublishes() + " publishes are unanswered",
                    channel);
            return;
        }
        shared.publisher()
                .publish(
                        session.identity(),
                        frame,
                        outcome -> session.onLoop(() -> {
                            session.publishAnswered();
                            switch (outcome) {
                                case EventPublisher.Outcome.Accepted a -> {
                                    ServerFrames.published(
                                            session.shard.json.clear(), frame.id(), a.event(), a.status(), a.cursor());
                                    session.sendJson();
                                }
                                case EventPublisher.Outcome.Failed f ->
                                    session.sendError(frame.id(), f.code(), f.message(), channel);
                            }
                        }));
    }

    static void subscribe(Session session, ClientFrame.Subscribe frame) {
        LoopShard shard = session.shard;
        ChannelName name = frame.channel();
        try {
            AccessPolicy.Namespace ns = shard.shared.access().checkSubscribe(session.identity(), name);
            int most = shard.shared.limits().maxSubscriptions();
            Subscription existing = session.find(name);
            if (existing != null && !existing.automatic) {
                throw new ProtocolException(
                        ErrorCode.ALREADY_SUBSCRIBED, "channel: this connection is subscribed to it");
            }
            if (existing == null && session.subscriptions().size() >= most) {
                throw new ProtocolException(
                        ErrorCode.LIMIT_EXCEEDED, "channel: this connection has its " + most + " subscriptions");
            }
            if (!shard.hasTail()) {
                throw new ProtocolException(ErrorCode.UNAVAILABLE, "the fan-out log has not been reached yet");
            }
            if (ns.delivery() == Delivery.EPHEMERAL) {
                // No past there, so no error for asking: SDKs resubscribe all channels with their cursors.
                replace(session, existing, new ClientFrame.Subscribe(frame.id(), name, null, -1, null), null);
                return;
            }
            if (frame.last() > ns.historyLimit()) {
                throw new ProtocolException(
                        ErrorCode.LIMIT_EXCEEDED,
                        "last: " + frame.last() + " (expected: at most " + ns.historyLimit() + " in this namespace)");
            }
            String durable = frame.durable();
            DurableCursors.CursorKey key = durable == null ? null : DurableStore.key(session.identity(), durable, name);
            Cursor after = frame.after();
            if (after != null) {
                requireOf(shard.tail(), "after", name, after);
            }
            replace(session, existing, frame, key);
        } catch (ProtocolException e) {
            session.sendError(frame.id(), e.code(), e.text(), name.value());
        }
    }

    /**
     * Refuses a cursor that cannot be of this channel. One of another topic can, and one of a partition that the channel has left: to
     * either the answer is a gap.
     *
     * @param field the frame's, for the message
     */
    static void requireOf(Tail tail, String field, ChannelName channel, Cursor cursor) {
        byte[] key = channel.bytes();
        int home = tail.partitionOf(key);
        if (cursor.epoch().equals(tail.epoch())
                && cursor.partition() != home
                && tail.movedTo(key, cursor.partition()) == null) {
            throw new ProtocolException(
                    ErrorCode.CURSOR_INVALID,
                    field + ": " + cursor + " is not of this channel (expected: partition " + home + ")");
        }
    }

    /** Nothing is wrong with it any more: what was joined by itself gives way. */
    private static void replace(
            Session session,
            @Nullable Subscription existing,
            ClientFrame.Subscribe frame,
            DurableCursors.@Nullable CursorKey key) {
        if (existing != null) {
            session.remove(existing);
        }
        subscribe(session, frame, key, session.shard.channel(frame.channel()));
    }

    private static void subscribe(
            Session session,
            ClientFrame.Subscribe frame,
            DurableCursors.@Nullable CursorKey key,
            ShardChannel channel) {
        Subscription sub = new Subscription(session, channel);
        sub.requestId = frame.id();
        sub.position = Long.MAX_VALUE; // nothing is live for it until its position is known, in this same task
        long p = session.add(sub);
        Cursor splice = sub.cursor(p);
        Cursor after = frame.after();
        if (after != null) {
            if (after.comparableTo(splice)
                    && after.offset() <= p
                    && channel.hasAllAfter(after.offset(), session.isSse())) {
                // Nothing was missed, and nobody need be asked. What lies in the queue up to p is live for it.
                session.shard.shared.metrics().resumedLocally.increment();
                sub.position = after.offset();
                session.sendSubscribed(sub, after, Recovery.COMPLETE, 0);
                return;
            }
            sub.position = after.comparableTo(splice) ? after.offset() : Cursor.BEFORE_FIRST;
            session.resume(sub, after, -1, splice, false);
        } else if (key != null) {
            sub.position = Cursor.BEFORE_FIRST;
            session.hold(sub, key, frame.last(), splice);
        } else if (frame.last() > 0) {
            sub.position = Cursor.BEFORE_FIRST;
            session.resume(sub, null, frame.last(), splice, false);
        } else {
            sub.position = p;
            session.sendSubscribed(sub, splice, Recovery.NONE, -1);
        }
    }

    private static void unsubscribe(Session session, ClientFrame.Unsubscribe frame) {
        String channel = frame.channel().value();
        Subscription sub = session.find(frame.channel());
        if (sub == null) {
            session.sendError(
                    frame.id(), ErrorCode.NOT_SUBSCRIBED, "channel: this connection is not subscribed to it", channel);
            return;
        }
        session.remove(sub);
        ServerFrames.unsubscribed(session.shard.json.clear(), frame.id(), channel, null);
        session.sendJson();
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.TokenVerifier.Verdict;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ClientFrameDecoder;
import dev.tidegate.protocol.ClientFrameDecoder.Decoded;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.ServerFrames;
import dev.tidegate.protocol.ServerFrames.Recovery;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * One client's connection. Loop-confined: the pipeline's {@link SessionHandler} brings frames in, the shard brings events,
 * and whatever answers from another thread comes back as a task of the loop. Its fields are few because a gateway holds
 * hundreds of thousands of these.
 */
final class Session {
    final LoopShard shard;
    private final SessionOutput out;

    /** Place in the shard's list. */
    int index = -1;

    private final ArrayList<Subscription> subscriptions = new ArrayList<>(1);
    private Identity identity;
    private boolean authenticated;
    private boolean closing;
    private boolean dirty;
    private boolean anyParked;
    private boolean ticked; // in the shard's list of sessions with resumes
    private byte silentBeats;
    private byte publishes;
    private long connectDeadline;
    private @Nullable Merges merges;

    /** What only a connection with resumes has. */
    private static final class Merges {
        final ReplayMerge.Connection budget;
        final ArrayList<Subscription> running = new ArrayList<>(1);
        final ArrayDeque<Subscription> waiting = new ArrayDeque<>(1);

        Merges(ReplayMerge.Connection budget) {
            this.budget = budget;
        }
    }

    Session(LoopShard shard, Identity identity, boolean sse) {
        this.shard = shard;
        this.identity = identity;
        this.authenticated =
                identity.subject() != null || !shard.shared.limits().mustAuthenticate();
        this.out = sse ? new SseOutput() : WebSocketOutput.INSTANCE;
    }

    @SuppressWarnings("NullAway.Init") // set by start(), before anything can reach the session
    private ChannelHandlerContext ctx;

    // ---- life

    void start(Channel channel, Handshake handshake) {
        ctx = out.install(channel, this, shard.shared.limits().maxFrameBytes());
        shard.opened(this);
        connectDeadline = System.currentTimeMillis() + shard.shared.limits().connectTimeoutMs();
        sendConnected(null);
        for (Handshake.Subscribe s : handshake.subscribes()) {
            subscribe(new ClientFrame.Subscribe(null, s.channel(), s.after(), s.last(), null));
        }
        shard.flushDirty();
    }

    /** The channel is gone. */
    void onInactive() {
        closing = true;
        dropAll();
        shard.closed(this);
    }

    private void dropAll() {
        for (int i = subscriptions.size() - 1; i >= 0; i--) {
            drop(subscriptions.get(i));
        }
        subscriptions.clear();
        merges = null;
    }

    void close(CloseCode code, String reason) {
        if (closing) {
            return;
        }
        closing = true;
        dropAll(); // nothing may follow the close frame
        shard.shared.metrics().closed(code).increment();
        out.close(ctx, code, reason);
    }

    void reconnect(int afterMs) {
        if (closing) {
            return;
        }
        ServerFrames.reconnect(shard.json.clear(), afterMs, "drain");
        sendJson();
        close(CloseCode.DRAIN, CloseCode.DRAIN.defaultReason());
    }

    // ---- what the client sends

    void onText(byte[] bytes, int from, int to) {
        silentBeats = 0;
        if (closing) {
            return;
        }
        Decoded decoded = ClientFrameDecoder.decode(bytes, from, to);
        switch (decoded) {
            case Decoded.Invalid bad ->
                sendError(bad.id(), bad.cause().code(), bad.cause().text(), bad.channel());
            case Decoded.Frame f -> onFrame(f.frame());
        }
    }

    /** A ping or pong of the WebSocket protocol, or bytes of an event stream's client. */
    void onSignOfLife() {
        silentBeats = 0;
    }

    private void onFrame(ClientFrame frame) {
        if (!authenticated && !(frame instanceof ClientFrame.Connect) && !(frame instanceof ClientFrame.Ping)) {
            sendError(frame.id(), ErrorCode.UNAUTHENTICATED, "a connect frame with a token is expected first", null);
            return;
        }
        switch (frame) {
            case ClientFrame.Connect c -> connect(c);
            case ClientFrame.Subscribe s -> subscribe(s);
            case ClientFrame.Unsubscribe u -> unsubscribe(u);
            case ClientFrame.Publish p -> publish(p);
            case ClientFrame.Ping p -> {
                ServerFrames.pong(shard.json.clear(), p.id());
                sendJson();
            }
            case ClientFrame.Ack a ->
                sendError(
                        a.id(),
                        ErrorCode.UNAVAILABLE,
                        "durable cursors are not offered here",
                        a.channel().value());
            case ClientFrame.Presence p ->
                sendError(
                        p.id(),
                        ErrorCode.UNAVAILABLE,
                        "presence is not offered here",
                        p.channel().value());
        }
    }

    private void connect(ClientFrame.Connect frame) {
        shard.shared
                .tokens()
                .verify(
                        frame.token(),
                        verdict -> onLoop(() -> {
                            switch (verdict) {
                                case Verdict.Accepted a -> identified(frame, a.identity());
                                case Verdict.Rejected r -> {
                                    sendError(frame.id(), ErrorCode.UNAUTHENTICATED, r.message(), null);
                                    close(CloseCode.UNAUTHENTICATED, CloseCode.UNAUTHENTICATED.defaultReason());
                                }
                            }
                        }));
    }

    private void identified(ClientFrame.Connect frame, Identity who) {
        String before = identity.subject();
        if (before != null && !before.equals(who.subject())) {
            sendError(frame.id(), ErrorCode.FORBIDDEN, "token: its subject is not the connection's", null);
            return;
        }
        identity = who;
        authenticated = true;
        sendConnected(frame.id());
    }

    private void publish(ClientFrame.Publish frame) {
        try {
            shard.shared.access().checkPublish(identity, frame.channel());
        } catch (ProtocolException e) {
            sendError(frame.id(), e.code(), e.text(), frame.channel().value());
            return;
        }
        if (publishes >= shard.shared.limits().maxPublishes()) {
            sendError(
                    frame.id(),
                    ErrorCode.RATE_LIMITED,
                    "more than " + shard.shared.limits().maxPublishes() + " publishes are unanswered",
                    frame.channel().value());
            return;
        }
        publishes++;
        shard.shared
                .publisher()
                .publish(
                        identity,
                        frame,
                        outcome -> onLoop(() -> {
                            publishes--;
                            switch (outcome) {
                                case EventPublisher.Outcome.Accepted a -> {
                                    ServerFrames.published(shard.json.clear(), frame.id(), a.event(), a.cursor());
                                    sendJson();
                                }
                                case EventPublisher.Outcome.Failed f ->
                                    sendError(
                                            frame.id(),
                                            f.code(),
                                            f.message(),
                                            frame.channel().value());
                            }
                        }));
    }

    private void onLoop(Runnable task) {
        shard.loop.execute(() -> {
            if (!closing) {
                task.run();
                shard.flushDirty();
            }
        });
    }

    // ---- subscriptions

    private void subscribe(ClientFrame.Subscribe frame) {
        ChannelName name = frame.channel();
        try {
            AccessPolicy.Namespace ns = shard.shared.access().checkSubscribe(identity, name);
            if (subscriptions.size() >= shard.shared.limits().maxSubscriptions()) {
                throw new ProtocolException(
                        ErrorCode.LIMIT_EXCEEDED,
                        "channel: this connection has its "
                                + shard.shared.limits().maxSubscriptions() + " subscriptions");
            }
            if (find(name) != null) {
                throw new ProtocolException(
                        ErrorCode.ALREADY_SUBSCRIBED, "channel: this connection is subscribed to it");
            }
            if (!shard.hasTail()) {
                throw new ProtocolException(ErrorCode.UNAVAILABLE, "the fan-out log has not been reached yet");
            }
            if (frame.last() > ns.historyLimit()) {
                throw new ProtocolException(
                        ErrorCode.LIMIT_EXCEEDED,
                        "last: " + frame.last() + " (expected: at most " + ns.historyLimit() + " in this namespace)");
            }
            subscribe(frame, shard.channel(name));
        } catch (ProtocolException e) {
            sendError(frame.id(), e.code(), e.text(), name.value());
        }
    }

    private void subscribe(ClientFrame.Subscribe frame, ShardChannel channel) {
        Subscription sub = new Subscription(this, channel);
        sub.requestId = frame.id();
        sub.position = Long.MAX_VALUE; // nothing is live for it until its position is known, in this same task
        long p = shard.add(sub, out.isSse());
        subscriptions.add(sub);
        Cursor splice = sub.cursor(p);
        Cursor after = frame.after();
        if (after != null) {
            if (after.epoch().equals(splice.epoch()) && after.partition() != splice.partition()) {
                remove(sub);
                throw new ProtocolException(
                        ErrorCode.CURSOR_INVALID,
                        "after: " + after + " is not of this channel (expected: partition " + splice.partition() + ")");
            }
            if (after.comparableTo(splice)
                    && after.offset() >= channel.base
                    && after.offset() >= channel.lastOffset
                    && after.offset() <= p) {
                // This loop has seen every event of the channel since: nothing was missed, and nobody need be asked.
                shard.shared.metrics().resumedLocally.increment();
                sub.position = after.offset();
                sendSubscribed(sub, splice, Recovery.COMPLETE, 0);
                return;
            }
            sub.position = after.comparableTo(splice) ? after.offset() : Cursor.BEFORE_FIRST;
            merge(sub, after, -1, splice, false);
        } else if (frame.last() > 0) {
            sub.position = Cursor.BEFORE_FIRST;
            merge(sub, null, frame.last(), splice, false);
        } else {
            sub.position = p;
            sendSubscribed(sub, splice, Recovery.NONE, -1);
        }
    }

    private void unsubscribe(ClientFrame.Unsubscribe frame) {
        Subscription sub = find(frame.channel());
        if (sub == null) {
            sendError(
                    frame.id(),
                    ErrorCode.NOT_SUBSCRIBED,
                    "channel: this connection is not subscribed to it",
                    frame.channel().value());
            return;
        }
        remove(sub);
        ServerFrames.unsubscribed(
                shard.json.clear(), frame.id(), frame.channel().value(), null);
        sendJson();
    }

    private @Nullable Subscription find(ChannelName name) {
        ShardChannel channel = shard.existing(name);
        if (channel != null) {
            for (int i = 0, n = subscriptions.size(); i < n; i++) {
                Subscription s = subscriptions.get(i);
                if (s.channel == channel) {
                    return s;
                }
            }
        }
        return null;
    }

    private void remove(Subscription sub) {
        drop(sub);
        subscriptions.remove(sub);
    }

    private void drop(Subscription sub) {
        ReplayMerge merge = sub.merge;
        if (merge != null) {
            sub.merge = null;
            merge.cancel();
            leaveMerges(sub);
        }
        shard.remove(sub, out.isSse());
    }

    // ---- resuming

    private void merge(Subscription sub, @Nullable Cursor after, int last, Cursor splice, boolean told) {
        Merges m = merges;
        if (m == null) {
            m = new Merges(new ReplayMerge.Connection(shard.shared.limits().replay()));
            merges = m;
        }
        sub.merge = new ReplayMerge(
                sub,
                shard.shared.replay(),
                shard.loop,
                shard.shared.limits().replay(),
                m.budget,
                after,
                last,
                splice,
                told,
                System.nanoTime());
        if (!ticked) {
            ticked = true;
            shard.mergesStarted(this);
        }
        m.waiting.add(sub);
        startWaiting(m);
    }

    private void startWaiting(Merges m) {
        while (m.running.size() < shard.shared.limits().maxMerges()) {
            Subscription next = m.waiting.poll();
            if (next == null) {
                return;
            }
            ReplayMerge merge = next.merge;
            if (merge != null) {
                m.running.add(next);
                merge.start(System.nanoTime());
            }
        }
    }

    private void leaveMerges(Subscription sub) {
        Merges m = merges;
        if (m != null) {
            m.running.remove(sub);
            m.waiting.remove(sub);
            if (m.running.isEmpty() && m.waiting.isEmpty()) {
                merges = null;
            } else {
                startWaiting(m);
            }
        }
    }

    /** False once no resume is under way. */
    boolean tickMerges(long now) {
        Merges m = merges;
        if (m != null) {
            for (Subscription s : List.copyOf(m.running)) {
                ReplayMerge merge = s.merge;
                if (merge != null) {
                    merge.onTick(now);
                }
            }
        }
        ticked = merges != null;
        return ticked;
    }

    void mergeEnded(Subscription sub, @Nullable Cursor moved) {
        leaveMerges(sub);
        if (moved != null) {
            sendPositions(Map.of(sub.channel.name.value(), moved));
        }
    }

    void mergeFailed(Subscription sub, ErrorCode code, String message) {
        String id = sub.requestId;
        leaveMerges(sub);
        shard.remove(sub, out.isSse());
        subscriptions.remove(sub);
        sendError(id, code, message, sub.channel.name.value());
    }

    /** The connection takes no more: pass over what comes, and resume from here once it drains. */
    void park(Subscription sub, long position) {
        sub.parked = true;
        sub.position = position;
        if (!anyParked) {
            anyParked = true;
            shard.shared.metrics().parked.increment();
        }
    }

    void onWritabilityChanged() {
        if (!ctx.channel().isWritable()) {
            ctx.channel().config().setAutoRead(false); // whoever does not take answers may not ask for more
            return;
        }
        silentBeats = 0;
        ctx.channel().config().setAutoRead(true);
        long now = System.nanoTime();
        Merges m = merges;
        if (m != null) {
            for (Subscription s : List.copyOf(m.running)) {
                ReplayMerge merge = s.merge;
                if (merge != null && writable()) {
                    merge.onWritable(now);
                }
            }
        }
        if (anyParked) {
            anyParked = false;
            for (int i = 0; i < subscriptions.size(); i++) {
                Subscription s = subscriptions.get(i);
                if (s.parked) {
                    s.parked = false;
                    merge(s, s.cursor(s.position), -1, s.tailPosition(), true);
                }
            }
        }
        shard.flushDirty();
    }

    /** The topic was recreated: what was of the old one is over, the new one is followed from its start. */
    void moveTo(Subscription sub, String oldEpoch, int oldPartition, long oldLast) {
        ReplayMerge merge = sub.merge;
        Cursor now = sub.tailPosition();
        if (merge != null) {
            Cursor delivered = merge.delivered();
            boolean told = sub.requestId == null && merge.state() != ReplayMerge.State.BUFFERING;
            sub.merge = null;
            merge.cancel();
            leaveMerges(sub);
            sub.position = Cursor.BEFORE_FIRST;
            merge(sub, delivered, delivered == null ? 1 : -1, now, told);
            return;
        }
        long old = sub.parked ? sub.position : Math.max(sub.position, oldLast);
        sub.gap(new Gap(new Cursor(oldEpoch, oldPartition, old), now, Gap.Reason.EPOCH));
    }

    /** Records of the channel up to this offset cannot be had any more. */
    void skip(Subscription sub, long upTo, Gap.Reason reason) {
        if (sub.live() && sub.livePosition() < upTo) {
            sub.gap(new Gap(sub.cursor(sub.livePosition()), sub.cursor(upTo), reason));
        }
    }

    // ---- the sweep

    void checkIdentity(long wallClock) {
        if (closing) {
            return;
        }
        if (identity.expiresAtMillis() < wallClock) {
            close(CloseCode.TOKEN_EXPIRED, CloseCode.TOKEN_EXPIRED.defaultReason());
        } else if (!authenticated && connectDeadline < wallClock) {
            close(CloseCode.UNAUTHENTICATED, "no connect frame in time");
        }
    }

    /** @param covered per partition the offset up to which this loop has delivered everything; null if not known */
    void heartbeat(long @Nullable [] covered) {
        if (closing) {
            var _ = ctx.close(); // the peer has not taken the close frame for up to a heartbeat
            return;
        }
        if (out.isSse() && writable()) {
            silentBeats = 0; // the client of an event stream says nothing; that it takes what it gets must do
        }
        if (silentBeats >= 2) {
            close(CloseCode.HEARTBEAT_MISSED, CloseCode.HEARTBEAT_MISSED.defaultReason());
            return;
        }
        silentBeats++;
        if (!writable()) {
            return;
        }
        markDirty();
        out.heartbeat(ctx);
        if (covered == null) {
            return;
        }
        Map<String, Cursor> moved = null;
        for (int i = 0, n = subscriptions.size(); i < n; i++) {
            Subscription s = subscriptions.get(i);
            if (!s.live()) {
                continue;
            }
            long at = covered[s.channel.partition()];
            if (s.channel.lastOffset > s.position) {
                s.position = s.channel.lastOffset; // told by the event itself
            } else if (at > s.position) {
                s.position = at;
                if (moved == null) {
                    moved = new LinkedHashMap<>();
                }
                moved.put(s.channel.name.value(), s.cursor(at));
            }
        }
        if (moved != null) {
            sendPositions(moved);
        }
    }

    // ---- what goes out

    boolean writable() {
        return ctx.channel().isWritable();
    }

    /** Writes frames that many share; the buffer is given away. */
    void write(ByteBuf frames) {
        markDirty();
        var _ = ctx.write(frames, ctx.voidPromise());
    }

    void write(Subscription sub, LoopBatch batch, int segment, int fromEvent) {
        markDirty();
        out.events(ctx, this, sub, batch, segment, fromEvent);
    }

    void flush(@Nullable LoopBatch batch) {
        dirty = false;
        out.beforeFlush(ctx, this, batch);
        ctx.flush();
    }

    private void markDirty() {
        if (!dirty) {
            dirty = true;
            shard.dirty(this);
        }
    }

    List<Subscription> subscriptions() {
        return subscriptions;
    }

    void sendSubscribed(Subscription sub, Cursor cursor, Recovery recovery, long replayed) {
        if (recovery == Recovery.PENDING) {
            shard.shared.metrics().pending.increment();
        }
        ServerFrames.subscribed(
                shard.json.clear(), sub.requestId, sub.channel.name.value(), cursor, recovery, replayed);
        sub.requestId = null;
        sendJson();
    }

    void sendGap(Subscription sub, Gap gap) {
        shard.shared.metrics().gaps.increment();
        ServerFrames.gap(shard.json.clear(), sub.channel.name.value(), gap);
        markDirty();
        out.gap(ctx, this, shard);
    }

    void sendReplayed(Subscription sub, byte[] frame) {
        shard.shared.metrics().replayed.increment();
        markDirty();
        out.replayed(ctx, this, frame);
    }

    private void sendPositions(Map<String, Cursor> positions) {
        ServerFrames.position(shard.json.clear(), positions);
        markDirty();
        out.position(ctx, this, shard);
    }

    private void sendConnected(@Nullable String id) {
        ServerFrames.connected(
                shard.json.clear(),
                id,
                Long.toString(ThreadLocalRandom.current().nextLong() >>> 1, 36),
                identity.subject(),
                shard.shared.limits().heartbeatMs());
        sendJson();
    }

    void sendError(@Nullable String id, ErrorCode code, String message, @Nullable String channel) {
        shard.shared.metrics().badFrames.increment();
        ServerFrames.error(shard.json.clear(), id, code, message, channel);
        markDirty();
        out.error(ctx, shard);
    }

    /** Sends what stands in the shard's JSON buffer. */
    private void sendJson() {
        markDirty();
        out.control(ctx, shard);
    }
}

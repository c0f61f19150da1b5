package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.resume.Replayed;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ClientFrameDecoder;
import dev.tidegate.protocol.ClientFrameDecoder.Decoded;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.PresenceMember;
import dev.tidegate.protocol.ServerFrames;
import dev.tidegate.protocol.ServerFrames.Recovery;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.unix.FileDescriptor;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.ssl.SslHandler;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * One client's connection. Loop-confined: the pipeline's {@link SessionHandler} brings frames in, the shard brings events,
 * and whatever answers from another thread comes back as a task of the loop. Its fields are few because a gateway holds
 * hundreds of thousands of these.
 */
final class Session {
    final LoopShard shard;
    private final SessionOutput out;

    /** Place among the sessions of its slot; see {@link Sweep}. */
    int index = -1;

    short slot;

    private final ArrayList<Subscription> subscriptions = new ArrayList<>(1);
    private Identity identity;

    /** What the connection is known by, and to nobody but this gateway's clients. */
    private final long number;

    private boolean authenticated;
    private boolean closing;
    private boolean starting = true;
    private boolean dirty;
    private boolean anyParked;
    private boolean doomed; // a close is on its way: what is parked stays so
    private boolean lostEphemeral; // since it last was seen to read
    private boolean ticked; // in the shard's list of sessions with resumes
    private byte silentBeats;
    private short publishes;
    private long deadline; // by the loop's ticker: to identify itself; once closing: to take the close frame
    private @Nullable Resumes resumes;

    Session(LoopShard shard, Identity identity, Handshake.WireFormat format) {
        this.shard = shard;
        this.identity = identity;
        this.number = shard.random.nextLong() >>> 1;
        this.authenticated =
                identity.subject() != null || !shard.shared.limits().mustAuthenticate();
        this.out = SessionOutput.of(format);
    }

    @SuppressWarnings("NullAway.Init") // set by start(), before anything can reach the session
    private ChannelHandlerContext ctx;

    /** What the transport has not handed to the kernel yet; null once the channel is closed. */
    private @Nullable ChannelOutboundBuffer pending;

    /** The connection's descriptor if sends may go past the transport. It knows, before we hear of it, that it is closed. */
    private @Nullable FileDescriptor socket;

    /** The shard's turn of its send ring in which this session was last put into it. */
    int ringTurn;

    // ---- life

    void start(Channel channel, Handshake handshake) {
        ctx = out.install(channel, this, shard.shared.limits().maxFrameBytes());
        pending = channel.unsafe().outboundBuffer();
        boolean plain = channel.pipeline().get(SslHandler.class) == null;
        socket = !out.isSse() && plain && channel instanceof UnixChannel unix ? unix.fd() : null;
        shard.opened(this);
        deadline = in(shard.shared.limits().connectTimeoutMs());
        sendConnected(null);
        if (out.isSse()) {
            tellStarts(handshake);
        }
        for (Handshake.Subscribe s : handshake.subscribes()) {
            ClientRequests.subscribe(
                    this, new ClientFrame.Subscribe(null, s.channel(), s.after(), s.last(), s.durable()));
        }
        ClientRequests.joinPersonal(this);
        starting = false;
        if (shard.departures().draining()) {
            shard.departures().sendOn(this);
        }
        shard.flushDirty();
    }

    /**
     * Where a resuming stream begins: its token moved on with blocks that fire nothing, so its client may not know how far it
     * is, and the first event may name that very offset as its {@code prev}.
     */
    private void tellStarts(Handshake handshake) {
        Map<String, Cursor> starts = new LinkedHashMap<>();
        for (Handshake.Subscribe s : handshake.subscribes()) {
            Cursor after = s.after();
            if (after != null) {
                starts.put(s.channel().value(), after);
            }
        }
        if (!starts.isEmpty()) {
            sendPositions(starts);
        }
    }

    private long in(int millis) {
        return shard.loop.ticker().nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    }

    /** Whether the subscriptions of the handshake are not all there yet. */
    boolean starting() {
        return starting;
    }

    boolean isSse() {
        return out.isSse();
    }

    /** Whether it takes compressed messages. */
    boolean deflates() {
        return out == WebSocketOutput.DEFLATING; // no field of its own: a session has few
    }

    /** Whether anything can still be said to the client. */
    boolean isOpen() {
        return !closing;
    }

    /** The channel is gone. */
    void onInactive() {
        closing = true;
        pending = null;
        socket = null;
        dropAll();
        shard.closed(this);
    }

    private void dropAll() {
        shard.identifications.forget(this);
        resumes = null; // first, or each merge that is dropped would start the next one
        for (int i = subscriptions.size() - 1; i >= 0; i--) {
            drop(subscriptions.get(i));
        }
        subscriptions.clear();
    }

    void close(CloseCode code, String reason) {
        if (closing) {
            return;
        }
        closing = true;
        dropAll(); // nothing may follow the close frame
        shard.shared.metrics().closed(code).increment();
        deadline = in(Sweep.CLOSE_MS);
        shard.sweep().closing(this);
        out.close(ctx, code, reason);
    }

    /** The peer closes, or answers our closing. */
    void onPeerClose() {
        close(CloseCode.NORMAL, CloseCode.NORMAL.defaultReason());
        var _ = ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }

    /** Cuts the connection if its last frame has had its time; false if it still has. */
    boolean cutIfDue(long nanoTime) {
        if (deadline - nanoTime > 0) {
            return false;
        }
        var _ = ctx.close();
        return true;
    }

    /** Passes over every event from here on, and resumes nothing: the session is about to be closed. */
    void parkAll() {
        anyParked = false;
        doomed = true;
        for (int i = 0; i < subscriptions.size(); i++) {
            Subscription s = subscriptions.get(i);
            if (s.live()) {
                s.position = s.livePosition(); // it may still be told a gap from there, if the topic is recreated now
            }
            s.parked = true;
        }
    }

    /** Asks the client to go elsewhere and closes the connection; {@code reason} is {@code drain} or {@code rebalance}. */
    void reconnect(int afterMs, String reason) {
        if (closing) {
            return;
        }
        ServerFrames.reconnect(shard.json.clear(), afterMs, reason);
        out.reconnect(ctx, shard, afterMs);
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
            case Decoded.Frame f -> ClientRequests.handle(this, f.frame());
        }
    }

    /** A ping or pong of the WebSocket protocol, or bytes of an event stream's client. */
    void onSignOfLife() {
        silentBeats = 0;
    }

    /** Whether more is to be read from the client, as long as it takes what it gets. */
    void read(boolean more) {
        ctx.channel().config().setAutoRead(more && ctx.channel().isWritable());
    }

    boolean authenticated() {
        return authenticated;
    }

    Identity identity() {
        return identity;
    }

    void identified(Identity who) {
        PresenceMember before = member();
        identity = who;
        authenticated = true;
        PresenceMember now = member();
        if (!now.equals(before)) {
            for (Subscription s : subscriptions) {
                if (shard.shared.presence().covers(s.channel.name)) {
                    shard.presenceChanges.left(s.channel.name, before);
                    shard.presenceChanges.joined(s.channel.name, now);
                }
            }
        }
    }

    /** Who this is to the others of a channel. */
    PresenceMember member() {
        String subject = identity.subject();
        return subject == null ? PresenceMember.connection(connectionId()) : PresenceMember.subject(subject);
    }

    /** Whether this is that member, or one of its connections. */
    boolean is(PresenceMember member) {
        String subject = identity.subject();
        return subject == null
                ? !member.authenticated() && member.name().equals(connectionId())
                : member.authenticated() && member.name().equals(subject);
    }

    private String connectionId() {
        return Long.toString(number, 36);
    }

    /** Counts a publish that is now unanswered; false if the limit has been reached. */
    boolean publishStarted() {
        if (publishes >= shard.shared.limits().maxPublishes()) {
            return false;
        }
        publishes++;
        return true;
    }

    void publishAnswered() {
        publishes--;
    }

    /** Runs what an answer from another thread brings, on the loop, unless the session has ended meanwhile. */
    void onLoop(Runnable task) {
        shard.loop.execute(() -> {
            if (!closing) {
                task.run();
                shard.flushDirty();
            }
        });
    }

    // ---- subscriptions

    @Nullable
    Subscription find(ChannelName name) {
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

    /** Adds a subscription, which must not be live yet; returns the position after which it gets every record. */
    long add(Subscription sub) {
        long position = shard.add(sub, out.isSse());
        subscriptions.add(sub);
        return position;
    }

    void remove(Subscription sub) {
        drop(sub);
        subscriptions.remove(sub);
    }

    private void drop(Subscription sub) {
        ReplayMerge merge = sub.merge;
        if (merge != null) {
            sub.merge = null;
            merge.cancel();
            leaveResumes(sub);
        }
        shard.remove(sub, out.isSse());
    }

    // ---- resuming

    /** Gives a subscription the path from its position, or its last events, to live; see {@link Resumes#begin}. */
    void resume(Subscription sub, @Nullable Cursor after, int last, Cursor splice, boolean told) {
        resumes().begin(sub, after, last, splice, told);
    }

    /** The same from its durable cursor, which is looked up first; see {@link Resumes#hold}. */
    void hold(Subscription sub, DurableCursors.CursorKey key, int last, Cursor splice) {
        resumes().hold(sub, key, last, splice);
    }

    private Resumes resumes() {
        Resumes r = resumes;
        if (r == null) {
            r = new Resumes(shard);
            resumes = r;
        }
        if (!ticked) {
            ticked = true;
            shard.sweep().resumesStarted(this);
        }
        return r;
    }

    private void leaveResumes(Subscription sub) {
        Resumes r = resumes;
        if (r != null) {
            r.left(sub);
            if (r.isEmpty()) {
                resumes = null;
            }
        }
    }

    void tickResumes() {
        Resumes r = resumes;
        if (r != null) {
            r.tick();
        }
    }

    /** Whether resumes are under way, asked after each tick: without any, it is ticked no more. */
    boolean resuming() {
        ticked = resumes != null;
        return ticked;
    }

    /** The subscription is live; {@code moved} is its position if no event told it. */
    void resumed(Subscription sub, @Nullable Cursor moved) {
        leaveResumes(sub);
        if (moved != null) {
            sendPosition(sub, moved);
        }
    }

    /** The subscription ends; a client that knows it has begun is told that too. */
    void resumeFailed(Subscription sub, ErrorCode code, String message, boolean told) {
        String id = sub.requestId;
        leaveResumes(sub);
        shard.remove(sub, out.isSse());
        subscriptions.remove(sub);
        sendError(id, code, message, sub.channel.name.value());
        if (told) {
            ServerFrames.unsubscribed(shard.json.clear(), null, sub.channel.name.value(), code.wire());
            sendJson();
        }
    }

    /**
     * The connection takes no more: pass over what comes. What happens once it drains, or at once, is the namespace's to
     * say; {@code position} is what the client knows of, from which its chain goes on in any case.
     */
    void park(Subscription sub, long position) {
        sub.parked = true;
        sub.position = position;
        shard.shared.metrics().slow(sub.channel.slowClient).increment();
        switch (sub.channel.slowClient) {
            case CONFLATE -> sub.channel.conflate(sub, shard.kept);
            case DISCONNECT -> {
                parkAll();
                // Not now: the shard is walking over the subscriptions.
                shard.loop.execute(() -> close(CloseCode.TOO_SLOW, CloseCode.TOO_SLOW.defaultReason()));
                return;
            }
            case PARK, DROP -> {
                // The position is all that is kept.
            }
        }
        if (!anyParked) {
            anyParked = true;
            shard.shared.metrics().parked.increment();
        }
    }

    /** The connection takes more again: whatever was parked goes on, each by its namespace's rule. */
    private void unpark() {
        anyParked = false;
        int n = subscriptions.size();
        int first = n > 1 ? shard.random.nextInt(n) : 0; // or the first would fill the connection each time
        for (int i = 0; i < n; i++) {
            Subscription s = subscriptions.get((first + i) % n);
            if (s.parked) {
                unpark(s);
            }
        }
    }

    private void unpark(Subscription s) {
        switch (s.channel.slowClient) {
            case PARK -> {
                s.parked = false;
                resume(s, s.cursor(s.position), -1, s.tailPosition(), true);
            }
            case CONFLATE -> {
                Conflation newest = s.channel.conflation;
                if (newest != null && !newest.deliver(s)) {
                    anyParked = true; // full again; the rest stays where newer ones can take its place
                    return;
                }
                s.parked = false;
                s.channel.unconflate(s);
            }
            case DROP, DISCONNECT -> {
                s.parked = false;
                s.overflow(s.channel.lastOffset);
            }
        }
    }

    void onWritabilityChanged() {
        if (!ctx.channel().isWritable()) {
            ctx.channel().config().setAutoRead(false); // whoever does not take answers may not ask for more
            return;
        }
        silentBeats = 0;
        lostEphemeral = false;
        ctx.channel().config().setAutoRead(!shard.identifications.isJudged(this));
        Resumes r = resumes;
        if (r != null) {
            r.onWritable();
        }
        if (anyParked && !doomed) {
            unpark();
        }
        shard.flushDirty();
    }

    /** The topic was recreated: what was of the old one, up to {@code from}, is over; the new one is followed from its start. */
    void moveTo(Subscription sub, Cursor from) {
        ReplayMerge merge = sub.merge;
        Cursor now = sub.tailPosition();
        if (merge == null) {
            sub.gap(new Gap(from, now, Gap.Reason.EPOCH));
            return;
        }
        sub.position = Cursor.BEFORE_FIRST;
        restart(sub, merge, now);
    }

    /** A resume goes on with what its client has, up to the tail of now. */
    private void restart(Subscription sub, ReplayMerge merge, Cursor now) {
        if (merge.isHeld()) {
            resumes().moveHeld(sub, merge, now);
            return;
        }
        sub.merge = null;
        merge.cancel();
        leaveResumes(sub);
        Cursor delivered = merge.delivered();
        resume(sub, delivered, delivered == null ? merge.last() : -1, now, merge.begun());
    }

    /**
     * Partitions were added to the topic. A channel that stays where it was goes on from where the tail does; one that has
     * moved goes on in its new partition after a gap, since what still comes to the old one is not delivered from there.
     *
     * @param partition where the channel lived
     * @param position where the subscription stands there unless it is parked or resuming
     */
    void grown(Subscription sub, int partition, long position) {
        Cursor now = sub.tailPosition();
        ReplayMerge merge = sub.merge;
        boolean moved = partition != now.partition();
        if (merge != null) {
            if (moved) {
                sub.position = Cursor.BEFORE_FIRST;
            }
            restart(sub, merge, now);
        } else if (moved) {
            Cursor from = new Cursor(now.epoch(), partition, sub.parked ? sub.position : position);
            Cursor known = sub.movedTo(from);
            Cursor to = known == null ? now : known;
            sub.gap(new Gap(from, to, Gap.Reason.EPOCH));
            if (!sub.parked && to.offset() < now.offset()) {
                resume(sub, to, -1, now, true);
            }
        } else if (!sub.parked) {
            sub.position = position;
            sub.covered(now); // the next event names the tail's position as its prev
        }
    }

    /** Records of the channel up to this offset cannot be had any more. */
    void skip(Subscription sub, long upTo, Gap.Reason reason) {
        ReplayMerge merge = sub.merge;
        if (merge != null) {
            merge.onLiveLost();
        } else if (sub.live() && sub.livePosition() < upTo) {
            sub.gap(new Gap(sub.cursor(sub.livePosition()), sub.cursor(upTo), reason));
        }
    }

    // ---- the sweep

    void checkIdentity(long wallClock, long nanoTime) {
        if (closing) {
            return;
        }
        if (identity.expiresAtMillis() < wallClock) {
            close(CloseCode.TOKEN_EXPIRED, CloseCode.TOKEN_EXPIRED.defaultReason());
        } else if (!authenticated && deadline - nanoTime < 0) {
            close(CloseCode.UNAUTHENTICATED, "no connect frame in time");
        }
    }

    /** @param covered per partition the offset up to which this loop has delivered everything; null if not known */
    void heartbeat(long @Nullable [] covered) {
        if (closing) {
            return;
        }
        if (out.isSse() && writable()) {
            silentBeats = 0; // the client of an event stream says nothing; that it takes what it gets must do
        }
        if (silentBeats >= 2) {
            CloseCode why = lostEphemeral ? CloseCode.CANNOT_KEEP_UP : CloseCode.HEARTBEAT_MISSED;
            close(why, why.defaultReason());
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
                if (!out.isSse()) { // a stream's positions are in its ids, and it gets one with this flush
                    if (moved == null) {
                        moved = new LinkedHashMap<>();
                    }
                    moved.put(s.channel.name.value(), s.cursor(at));
                }
            }
        }
        if (moved != null) {
            sendPositions(moved);
        }
    }

    // ---- what goes out

    /** An ephemeral event was not for a connection that takes no more: if it is closed for that, it is told why. */
    void lostEphemeral() {
        lostEphemeral = true;
    }

    boolean writable() {
        ChannelOutboundBuffer p = pending;
        return p != null && p.isWritable();
    }

    /**
     * The number of the connection's socket if a send past the transport keeps the order, that is, if the transport holds
     * nothing for it; else -1. A descriptor that the transport has closed may already be another connection's, although
     * this session has not heard of it: hence {@code isOpen}.
     */
    int directSocket() {
        FileDescriptor s = socket;
        ChannelOutboundBuffer p = pending;
        return s != null && p != null && p.totalPendingWriteBytes() == 0 && s.isOpen() ? s.intValue() : -1;
    }

    /** Writes frames that many share; the buffer is given away. */
    void write(ByteBuf frames) {
        markDirty();
        var _ = ctx.write(frames, ctx.voidPromise());
    }

    void write(Subscription sub, LoopBatch batch, int segment, int fromEvent, int toEvent) {
        markDirty();
        out.events(ctx, this, sub, batch, segment, fromEvent, toEvent);
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
            ReplayMerge merge = sub.merge;
            shard.pendingLog.note(
                    merge == null ? "" : merge.lastFailure(),
                    shard.loop.ticker().nanoTime());
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

    void sendReplayed(Subscription sub, List<Replayed> events) {
        shard.shared.metrics().replayed.add(events.size());
        markDirty();
        out.replayed(ctx, this, sub, events);
    }

    void sendPosition(Subscription sub, Cursor position) {
        sendPositions(Map.of(sub.channel.name.value(), position));
    }

    private void sendPositions(Map<String, Cursor> positions) {
        ServerFrames.position(shard.json.clear(), positions);
        markDirty();
        out.position(ctx, this, shard);
    }

    void sendConnected(@Nullable String id) {
        ServerFrames.connected(
                shard.json.clear(),
                id,
                connectionId(),
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
    void sendJson() {
        markDirty();
        out.control(ctx, shard);
    }
}

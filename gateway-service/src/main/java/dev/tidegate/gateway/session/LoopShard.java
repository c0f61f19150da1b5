package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * The sessions and subscriptions of one event loop, and the broadcast. Plain maps and fields, no locks: everything but
 * {@link #offer}, {@link #moveTo}, {@link #skip} and {@link #drain} runs on the loop and asserts it; those four only put a
 * task into the loop's queue.
 */
public final class LoopShard implements ShardInbox {
    /** How often the sweep comes by; heartbeats are spread over their interval in steps of this. */
    private static final int TICK_MS = 250;

    /** What the shards of a gateway share. */
    public record Shared(
            SessionLimits limits,
            AccessPolicy access,
            TokenVerifier tokens,
            ReplaySource replay,
            EventPublisher publisher,
            BooleanSupplier tailIsMoving,
            GatewayMetrics metrics) {}

    final Shared shared;
    final EventLoop loop;
    final int index;
    final FrameBuffer json = new FrameBuffer(1024);
    final FrameBuffer framed = new FrameBuffer(1024);

    private final Map<ChannelName, ShardChannel> channels = new HashMap<>();
    private final ArrayList<Session> sessions = new ArrayList<>();
    private final ArrayList<Session> merging = new ArrayList<>();
    private final Semaphore room = new Semaphore(MAX_BATCHES);
    private Session[] dirty = new Session[64];
    private int dirtyCount;
    /** Of the loop: session ids, jitter. */
    final RandomGenerator random;

    private final boolean useRing;
    private @Nullable SendRing ring;
    private final @Nullable Session[] ringSessions = new Session[SendRing.ENTRIES];
    private final int[] ringSegments = new int[SendRing.ENTRIES];
    private @Nullable LoopBatch ringBatch;
    private int ringTurn = 1;

    private @Nullable Tail tail;
    private int sweepAt;
    private long sweepDebt;
    private long[] covered = new long[0];
    private boolean draining;

    public LoopShard(int index, EventLoop loop, Shared shared) {
        this(index, loop, shared, new SplittableRandom(), true);
    }

    /** With a source of randomness given; time comes from the loop's ticker. So a simulation can be repeated. */
    LoopShard(int index, EventLoop loop, Shared shared, RandomGenerator random) {
        this(index, loop, shared, random, false);
    }

    private LoopShard(int index, EventLoop loop, Shared shared, RandomGenerator random, boolean useRing) {
        this.useRing = useRing;
        this.index = index;
        this.loop = loop;
        this.shared = shared;
        this.random = random;
    }

    /** Starts the sweep; any thread. */
    public void start() {
        var _ = loop.scheduleAtFixedRate(this::tick, TICK_MS, TICK_MS, TimeUnit.MILLISECONDS);
        if (useRing) {
            loop.execute(() -> ring = SendRing.open(this::incomplete));
        }
    }

    /** Ends the loop's part; any thread. */
    void close() {
        loop.execute(() -> {
            SendRing r = ring;
            ring = null;
            if (r != null) {
                r.close();
            }
        });
    }

    /** Whether broadcasts go through a ring of their own; on the loop. */
    boolean hasRing() {
        return ring != null;
    }

    // ---- the live path

    @Override
    public void offer(LoopBatch batch) throws InterruptedException {
        room.acquire();
        loop.execute(() -> {
            try {
                deliver(batch);
            } finally {
                batch.release();
                room.release();
            }
        });
    }

    private void deliver(LoopBatch batch) {
        assert loop.inEventLoop();
        if (batch.tail() != tail) {
            return; // of the topic's former incarnation: its subscribers have been told
        }
        long delivered = 0;
        for (int s = 0; s < batch.segments(); s++) {
            if (batch.interest(s).attachment(index) instanceof ShardChannel channel) {
                delivered += channel.wsCount + channel.sseCount;
                broadcast(channel, batch, s);
            }
        }
        flushRing();
        shared.metrics().delivered.add(delivered);
        flushDirty(batch);
    }

    /** The inner loop of the product: one write for each subscriber of the channel. */
    private void broadcast(ShardChannel channel, LoopBatch batch, int segment) {
        long first = batch.firstOffset(segment);
        LoopBatch kept = null;
        boolean direct = ring != null && batch.isDirect();
        int socket;
        Subscription[] subs = channel.ws;
        for (int i = 0, n = channel.wsCount; i < n; i++) {
            Subscription sub = subs[i];
            Session session = sub.session;
            if (sub.merge != null || sub.parked || sub.position >= first) {
                kept = exceptional(sub, batch, segment, kept);
            } else if (direct && (socket = session.directSocket()) >= 0) {
                sendDirectly(session, socket, batch, segment);
            } else if (session.writable()) {
                session.write(batch.ws(segment, 0));
            } else {
                kept = exceptional(sub, batch, segment, kept);
            }
        }
        subs = channel.sse;
        for (int i = 0, n = channel.sseCount; i < n; i++) {
            kept = exceptional(subs[i], batch, segment, kept);
        }
        channel.lastOffset = batch.lastOffset(segment);
        if (kept != null) {
            kept.release();
        }
    }

    /** Whoever is resuming, parked, slow, newly joined, or an event stream. Returns the copy made for resuming ones. */
    private @Nullable LoopBatch exceptional(Subscription sub, LoopBatch batch, int segment, @Nullable LoopBatch kept) {
        if (sub.merge != null) {
            LoopBatch copy = kept == null ? batch.copyOf(segment) : kept;
            sub.merge.onLive(copy);
            return copy;
        }
        if (sub.parked) {
            return kept;
        }
        int from = batch.firstAbove(segment, sub.position);
        if (from == batch.events(segment)) {
            return kept;
        }
        if (!sub.session.writable()) {
            sub.session.park(sub, Math.max(sub.position, batch.offset(segment, from) - 1));
            return kept;
        }
        sub.session.write(sub, batch, segment, from);
        return kept;
    }

    // ---- the send ring

    private void sendDirectly(Session session, int socket, LoopBatch batch, int segment) {
        SendRing r = ring;
        if (r == null) {
            throw new IllegalStateException("no ring");
        }
        if (session.ringTurn == ringTurn || r.queued() == SendRing.ENTRIES) {
            // Two sends to one socket in one submission: the second could go out although the first did not.
            flushRing();
        }
        int tag = r.queued();
        session.ringTurn = ringTurn;
        ringSessions[tag] = session;
        ringSegments[tag] = segment;
        ringBatch = batch;
        r.send(socket, batch.wsAddress(segment), batch.wsBytes(segment), tag);
    }

    private void flushRing() {
        SendRing r = ring;
        if (r != null && r.queued() > 0) {
            int used = r.queued();
            r.flush();
            Arrays.fill(ringSessions, 0, used, null);
            ringBatch = null;
            ringTurn++;
        }
    }

    /** The socket did not take all of it: the rest goes through the transport, which waits for the socket. */
    private void incomplete(int tag, int result) {
        Session session = ringSessions[tag];
        LoopBatch batch = ringBatch;
        if (session != null && batch != null) {
            session.write(batch.wsRest(ringSegments[tag], Math.max(result, 0)));
        }
    }

    // ---- what sessions ask of their shard

    Tail tail() {
        Tail t = tail;
        if (t == null) {
            throw new IllegalStateException("no topic yet");
        }
        return t;
    }

    boolean hasTail() {
        return tail != null;
    }

    boolean tailIsMoving() {
        return shared.tailIsMoving().getAsBoolean();
    }

    /** Adds a subscription; returns the position after which it gets every record. */
    long add(Subscription sub, boolean sse) {
        assert loop.inEventLoop();
        ShardChannel channel = sub.channel;
        boolean firstOfFormat = sse ? channel.sseCount == 0 : channel.wsCount == 0;
        long position = firstOfFormat ? channel.join(tail(), index, sse) : tail().position(channel.partition());
        channel.add(sub, sse);
        shared.metrics().subscriptions.increment();
        return position;
    }

    void remove(Subscription sub, boolean sse) {
        assert loop.inEventLoop();
        ShardChannel channel = sub.channel;
        channel.remove(sub, sse);
        shared.metrics().subscriptions.decrement();
        boolean lastOfFormat = sse ? channel.sseCount == 0 : channel.wsCount == 0;
        var interest = channel.interest;
        if (lastOfFormat && interest != null) {
            if (channel.wsCount == 0 && channel.sseCount == 0) {
                interest.attach(index, null);
                channels.remove(channel.name);
            }
            tail().leave(interest, index, sse);
        }
    }

    ShardChannel channel(ChannelName name) {
        return channels.computeIfAbsent(name, ShardChannel::new);
    }

    @Nullable
    ShardChannel existing(ChannelName name) {
        return channels.get(name);
    }

    void forget(ShardChannel channel) {
        if (channel.wsCount == 0 && channel.sseCount == 0) {
            channels.remove(channel.name);
        }
    }

    void dirty(Session s) {
        if (dirtyCount == dirty.length) {
            dirty = Arrays.copyOf(dirty, dirtyCount * 2);
        }
        dirty[dirtyCount++] = s;
    }

    /** One flush for each connection written to since the last one. */
    void flushDirty() {
        flushDirty(null);
    }

    private void flushDirty(@Nullable LoopBatch batch) {
        Session[] d = dirty;
        for (int i = 0; i < dirtyCount; i++) {
            d[i].flush(batch);
        }
        dirtyCount = 0;
    }

    void opened(Session session) {
        assert loop.inEventLoop();
        session.index = sessions.size();
        sessions.add(session);
        shared.metrics().connections.increment();
        if (draining) {
            session.reconnect(0);
        }
    }

    void closed(Session session) {
        assert loop.inEventLoop();
        int last = sessions.size() - 1;
        Session moved = sessions.get(last);
        sessions.set(session.index, moved);
        moved.index = session.index;
        sessions.remove(last);
        shared.metrics().connections.decrement();
    }

    /** The session has resumes under way; it leaves the list at the first tick at which it has none. */
    void resumesStarted(Session session) {
        merging.add(session);
    }

    // ---- the sweep

    /**
     * Deadlines of resumes, token ends, and the heartbeats due in this tick. A position may be told only once every batch
     * up to it has been delivered by this loop: the dispatched positions are read now, and the heartbeats run behind
     * whatever lies in the queue.
     */
    private void tick() {
        assert loop.inEventLoop();
        List<Session> ticked = List.copyOf(merging);
        merging.clear();
        for (Session s : ticked) {
            if (s.tickResumes()) {
                merging.add(s);
            }
        }
        Tail t = tail;
        if (t != null) {
            if (covered.length != t.partitions()) {
                covered = new long[t.partitions()];
            }
            for (int p = 0; p < covered.length; p++) {
                covered[p] = t.dispatched(p);
            }
        }
        flushDirty();
        loop.execute(() -> heartbeats(t));
    }

    private void heartbeats(@Nullable Tail of) {
        long wallClock = System.currentTimeMillis();
        long now = loop.ticker().nanoTime();
        for (int i = sessions.size() - 1; i >= 0; i--) {
            sessions.get(i).checkIdentity(wallClock, now);
        }
        int heartbeatMs = shared.limits().heartbeatMs();
        sweepDebt += (long) sessions.size() * TICK_MS;
        long due = Math.min(sweepDebt / heartbeatMs, sessions.size());
        sweepDebt -= due * heartbeatMs;
        for (long k = 0; k < due && !sessions.isEmpty(); k++) {
            if (sweepAt >= sessions.size()) {
                sweepAt = 0;
            }
            sessions.get(sweepAt++).heartbeat(of != null && of == tail ? covered : null);
        }
        flushDirty();
    }

    // ---- from other threads

    @Override
    public void moveTo(Tail newTail, CountDownLatch done) {
        loop.execute(() -> {
            try {
                Tail old = tail;
                tail = newTail;
                for (ShardChannel channel : List.copyOf(channels.values())) {
                    moveChannel(channel, old, newTail);
                }
                flushDirty();
            } finally {
                done.countDown();
            }
        });
    }

    private void moveChannel(ShardChannel channel, @Nullable Tail old, Tail newTail) {
        int oldPartition = old == null ? -1 : channel.partition();
        long oldLast = channel.lastOffset;
        if (channel.wsCount > 0) {
            channel.join(newTail, index, false);
        }
        if (channel.sseCount > 0) {
            channel.join(newTail, index, true);
        }
        if (old == null) {
            return;
        }
        for (int i = 0; i < channel.wsCount; i++) {
            channel.ws[i].session.moveTo(channel.ws[i], old.epoch(), oldPartition, oldLast);
        }
        for (int i = 0; i < channel.sseCount; i++) {
            channel.sse[i].session.moveTo(channel.sse[i], old.epoch(), oldPartition, oldLast);
        }
    }

    @Override
    public void skip(Tail of, int partition, long position, Gap.Reason reason, CountDownLatch done) {
        loop.execute(() -> {
            try {
                if (of == tail) {
                    for (ShardChannel channel : channels.values()) {
                        if (channel.partition() == partition) {
                            skipChannel(channel, position, reason);
                        }
                    }
                    flushDirty();
                }
            } finally {
                done.countDown();
            }
        });
    }

    private static void skipChannel(ShardChannel channel, long position, Gap.Reason reason) {
        for (int i = 0; i < channel.wsCount; i++) {
            channel.ws[i].session.skip(channel.ws[i], position, reason);
        }
        for (int i = 0; i < channel.sseCount; i++) {
            channel.sse[i].session.skip(channel.sse[i], position, reason);
        }
        channel.lastOffset = Math.max(channel.lastOffset, position);
    }

    /**
     * Asks every client to go elsewhere and closes the connections, spread over this time; any thread.
     *
     * @param spreadMs within how many milliseconds the clients are told to come back elsewhere
     * @param done counted down once every connection has been closed
     */
    public void drain(int spreadMs, CountDownLatch done) {
        loop.execute(() -> {
            draining = true;
            for (Session s : List.copyOf(sessions)) {
                s.reconnect(random.nextInt(spreadMs + 1));
            }
            flushDirty();
            done.countDown();
        });
    }

    /** Takes over a channel; on its loop. */
    void open(Channel channel, Handshake handshake) {
        assert loop.inEventLoop();
        Session session = new Session(this, handshake.identity(), handshake.format() == Handshake.WireFormat.SSE);
        session.start(channel, handshake);
    }
}

package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ProvisionalBatch;
import dev.tidegate.gateway.fanout.ProvisionalInbox;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.CloseCode;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.PresenceMember;
import dev.tidegate.protocol.ServerFrames;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The sessions and subscriptions of one event loop, and the broadcast. Plain maps and fields, no locks: everything but
 * {@link #offer}, {@link #moveTo}, {@link #skip} and {@link #drain} runs on the loop and asserts it; those four only put a
 * task into the loop's queue.
 */
public final class LoopShard implements ShardInbox, ProvisionalInbox {
    private static final Logger LOG = LoggerFactory.getLogger(LoopShard.class);

    /** What the shards of a gateway share. */
    public record Shared(
            SessionLimits limits,
            AccessPolicy access,
            TokenVerifier tokens,
            ReplaySource replay,
            EventPublisher publisher,
            DurableStore cursors,
            Presence presence,
            BooleanSupplier tailIsMoving,
            GatewayMetrics metrics) {}

    final Shared shared;
    final EventLoop loop;
    final int index;
    final FrameBuffer json = new FrameBuffer(1024);
    final FrameBuffer framed = new FrameBuffer(1024);

    private final Map<ChannelName, ShardChannel> channels = new HashMap<>();
    private final Semaphore room = new Semaphore(MAX_BATCHES);

    /** Sessions written to since their last flush, in the order of their first write. */
    private @Nullable Session[] dirty = new @Nullable Session[64];

    private int dirtyCount;
    private boolean flushing;

    /** Of the loop: session ids, jitter, heartbeat slots. */
    final RandomGenerator random;

    final PendingLog pendingLog = new PendingLog();

    /** The bytes that newest events kept for slow connections may take on this loop. */
    final Conflation.Budget kept;

    final Acks acks = new Acks(this);

    final PresenceChanges presenceChanges = new PresenceChanges(this);

    final Identifications identifications = new Identifications(this);

    private final DirectSends sends = new DirectSends(this);
    private final ProvisionalDelivery copies = new ProvisionalDelivery(this);
    private final boolean useRing;
    private final Sweep sweep;
    private @Nullable MessageInflater inflater; // from the first compressed message on
    private @Nullable Tail tail;
    private long delivered; // by the batch under way
    private long passedOver; // by the segment under way
    private @Nullable Reconciliation reconciliation; // of the segment that is being delivered
    private boolean moving;
    private final Departures departures = new Departures(this);

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
        this.kept = new Conflation.Budget(shared.limits().kept(), shared.metrics().conflationOverflows);
        this.sweep = new Sweep(
                this, new Pressure(TimeUnit.MILLISECONDS.toNanos(shared.limits().bearableMs())));
    }

    /** Starts the sweep; any thread. */
    public void start() {
        var _ = loop.scheduleAtFixedRate(sweep::tick, Sweep.TICK_MS, Sweep.TICK_MS, TimeUnit.MILLISECONDS);
        if (useRing) {
            loop.execute(sends::open);
        }
    }

    /** Ends the loop's part; any thread. */
    void close() {
        loop.execute(() -> {
            sends.close();
            MessageInflater i = inflater;
            inflater = null;
            if (i != null) {
                i.close();
            }
        });
    }

    /** Whether broadcasts go through a ring of their own; on the loop. */
    boolean hasRing() {
        return sends.hasRing();
    }

    // ---- the live path

    @Override
    public void offer(LoopBatch batch) throws InterruptedException {
        try {
            room.acquire();
        } catch (InterruptedException e) {
            batch.release();
            throw e;
        }
        try {
            loop.execute(() -> {
                try {
                    deliver(batch);
                } finally {
                    batch.release();
                    room.release();
                }
            });
        } catch (RejectedExecutionException e) {
            batch.release(); // the loop has ended, and its connections with it
            room.release();
        }
    }

    @Override
    public boolean awaitIdle(long nanos) throws InterruptedException {
        if (room.availablePermits() == MAX_BATCHES) {
            return false;
        }
        if (room.tryAcquire(MAX_BATCHES, nanos, TimeUnit.NANOSECONDS)) {
            room.release(MAX_BATCHES);
        }
        return true;
    }

    @Override
    public void offerProvisional(ProvisionalBatch batch) throws InterruptedException {
        copies.offer(batch);
    }

    private void deliver(LoopBatch batch) {
        assert loop.inEventLoop();
        if (batch.tail() != tail) {
            return; // of the topic's former incarnation: its subscribers have been told
        }
        delivered = 0;
        for (int s = 0; s < batch.segments(); s++) {
            if (batch.interest(s).attachment(index) instanceof ShardChannel channel) {
                broadcast(channel, batch, s);
            }
        }
        sends.flush();
        shared.metrics().delivered.add(delivered);
        flushDirty(batch);
    }

    /** The inner loop of the product: one write for each subscriber of the channel. */
    private void broadcast(ShardChannel channel, LoopBatch batch, int segment) {
        long first = batch.firstOffset(segment);
        int written = 0;
        LoopBatch kept = null;
        boolean direct = sends.hasRing() && batch.isDirect();
        LoopBatch.Frames plain = batch.frames(segment, false);
        LoopBatch.Frames deflated = batch.frames(segment, true);
        Reconciliation told = Reconciliation.of(channel, batch, segment);
        reconciliation = told;
        Subscription[] subs = channel.ws;
        for (int i = 0, n = channel.wsCount; i < n; i++) {
            Subscription sub = subs[i];
            Session session = sub.session;
            LoopBatch.Frames frames = session.deflates() ? deflated : plain;
            try {
                if (sub.merge != null || sub.parked || sub.position >= first || told != null) {
                    kept = exceptional(sub, batch, segment, kept);
                } else if (direct && sends.offer(session, batch, segment, frames)) {
                    written++;
                } else if (session.writable()) {
                    session.write(frames.from(segment, 0));
                    written++;
                } else {
                    kept = exceptional(sub, batch, segment, kept);
                }
            } catch (RuntimeException | OutOfMemoryError e) {
                broken(session, e); // one client's fault must not cost the others the rest of the batch
            }
        }
        subs = channel.sse;
        for (int i = 0, n = channel.sseCount; i < n; i++) {
            Subscription sub = subs[i];
            try {
                kept = exceptional(sub, batch, segment, kept);
            } catch (RuntimeException | OutOfMemoryError e) {
                broken(sub.session, e);
            }
        }
        if (told != null) {
            reconciliation = null;
            shared.metrics().reconciled.add(told.reconciled());
        }
        if (passedOver > 0) {
            shared.metrics().passedOver(channel.slowClient).add(passedOver);
            passedOver = 0;
        }
        conflate(channel, batch, segment);
        channel.lastOffset = Math.max(channel.lastOffset, batch.lastOffset(segment));
        delivered += (long) written * batch.events(segment);
        if (kept != null) {
            kept.release();
        }
    }

    /** Keeps the newest events for the slow ones; what there is no memory for is told to them as a gap. */
    private void conflate(ShardChannel channel, LoopBatch batch, int segment) {
        Conflation newest = channel.conflation;
        if (newest != null) {
            try {
                newest.keep(batch, segment, channel.lastOffset);
            } catch (OutOfMemoryError e) {
                LOG.warn("The newest events of {} are not kept: {}", channel.name, e.toString());
                shared.metrics().conflationOverflows.increment();
            }
        }
    }

    /** Whoever is resuming, parked, slow, newly joined, or an event stream. Returns the copy made for resuming ones. */
    private @Nullable LoopBatch exceptional(Subscription sub, LoopBatch batch, int segment, @Nullable LoopBatch kept) {
        ReplayMerge merge = sub.merge;
        if (merge != null) {
            if (!merge.wants(batch.lastOffset(segment))) {
                return kept;
            }
            LoopBatch copy = kept == null ? batch.copyOf(segment) : kept;
            merge.onLive(copy);
            return copy;
        }
        if (sub.parked) {
            passedOver += batch.events(segment);
            return kept;
        }
        int from = batch.firstAbove(segment, sub.position);
        if (from == batch.events(segment)) {
            return kept;
        }
        if (!sub.session.writable()) {
            sub.session.park(sub, sub.livePosition()); // what the client knows of, so that its chain goes on from there
            passedOver += batch.events(segment) - from;
            return kept;
        }
        sends.before(sub.session);
        Reconciliation told = reconciliation;
        if (told != null) {
            delivered += told.write(sub, from);
        } else {
            delivered += batch.events(segment) - from;
            sub.session.write(sub, batch, segment, from, batch.events(segment));
        }
        return kept;
    }

    /** Does something with a session whose failure must not reach the others. */
    void guarded(Session session, Consumer<Session> action) {
        try {
            action.accept(session);
        } catch (RuntimeException | OutOfMemoryError e) {
            broken(session, e);
        }
    }

    /**
     * A fault of ours in the middle of a session's frames, or no memory for one. It gets nothing more from here on, so that no position passes
     * over what it may have missed, and is closed once nobody is walking over the subscriptions; the client resumes.
     */
    void broken(Session session, Throwable e) {
        shared.metrics().faults.increment();
        LOG.error("A session is closed for a fault of the gateway", e);
        session.parkAll();
        loop.execute(() -> session.close(CloseCode.INTERNAL, CloseCode.INTERNAL.defaultReason()));
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
        if (shared.presence().covers(channel.name)) {
            presenceChanges.joined(channel.name, sub.session.member());
        }
        if (sub.session.deflates()) {
            channel.countDeflating(1, index);
        }
        sub.lastMissed = channel.provisionalDeliveries;
        shared.metrics().subscriptions.increment();
        return position;
    }

    void remove(Subscription sub, boolean sse) {
        assert loop.inEventLoop();
        ShardChannel channel = sub.channel;
        channel.remove(sub, sse);
        if (shared.presence().covers(channel.name)) {
            presenceChanges.left(channel.name, sub.session.member());
        }
        if (sub.session.deflates()) {
            channel.countDeflating(-1, index);
        }
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
        return channels.computeIfAbsent(
                name, n -> new ShardChannel(n, shared.access().namespace(n).slowClient()));
    }

    @Nullable
    ShardChannel existing(ChannelName name) {
        return channels.get(name);
    }

    /** Whether the subscriptions are on their way from one incarnation of the topic to the next: no position is whole then. */
    boolean moving() {
        return moving;
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
        if (flushing) {
            return; // a flush made a connection writable, which resumed and wrote: the flush under way comes to it
        }
        flushing = true;
        for (int i = 0; i < dirtyCount; i++) {
            Session s = dirty[i];
            dirty[i] = null;
            if (s != null) {
                try {
                    s.flush(batch);
                } catch (RuntimeException | OutOfMemoryError e) {
                    broken(s, e);
                }
            }
        }
        dirtyCount = 0;
        flushing = false;
    }

    void opened(Session session) {
        assert loop.inEventLoop();
        sweep.add(session);
        shared.metrics().connections.increment();
    }

    void closed(Session session) {
        assert loop.inEventLoop();
        sweep.remove(session);
        shared.metrics().connections.decrement();
    }

    /** Of the loop, for what clients send compressed. */
    MessageInflater inflater() {
        MessageInflater i = inflater;
        if (i == null) {
            i = new MessageInflater(shared.limits().maxFrameBytes());
            inflater = i;
        }
        return i;
    }

    Sweep sweep() {
        return sweep;
    }

    Departures departures() {
        return departures;
    }

    // ---- from other threads

    @Override
    public void moveTo(Tail newTail, CountDownLatch done) {
        loop.execute(() -> {
            moving = true;
            try {
                moveTo(newTail);
            } finally {
                moving = false;
                done.countDown();
            }
            flushDirty();
        });
    }

    /** Where a channel stood in the topic that is gone, or before partitions were added. */
    private record Former(ShardChannel channel, int partition, long lastOffset) {}

    private void moveTo(Tail newTail) {
        Tail old = tail;
        tail = newTail;
        // All channels first, then their subscribers: a session looks at all its channels, which must be of one topic.
        List<Former> formers = new ArrayList<>(channels.size());
        for (ShardChannel channel : channels.values()) {
            formers.add(new Former(channel, channel.partition(), channel.lastOffset));
            channel.rejoin(newTail, index);
        }
        boolean grown = old != null && old.epoch().equals(newTail.epoch());
        for (Former f : formers) {
            for (Subscription sub : f.channel().all()) {
                if (grown) {
                    guarded(sub.session, s -> s.grown(sub, f.partition(), Math.max(sub.position, f.lastOffset())));
                    continue;
                }
                Cursor from = new Cursor(
                        old == null ? newTail.epoch() : old.epoch(),
                        f.partition(),
                        Math.max(sub.position, f.lastOffset()));
                guarded(sub.session, s -> s.moveTo(sub, sub.parked ? from.at(sub.position) : from));
            }
        }
    }

    @Override
    public void skip(Tail of, int partition, long position, Gap.Reason reason, CountDownLatch done) {
        loop.execute(() -> {
            try {
                if (of == tail) {
                    for (ShardChannel channel : channels.values()) {
                        if (channel.partition() == partition) {
                            for (Subscription sub : channel.all()) {
                                guarded(sub.session, s -> s.skip(sub, position, reason));
                            }
                            channel.lastOffset = Math.max(channel.lastOffset, position);
                        }
                    }
                }
            } finally {
                done.countDown();
            }
            flushDirty();
        });
    }

    /**
     * Tells the channel's WebSockets here who came and left; any thread. Nobody is told of itself; whoever takes no more, or has not been
     * told that it is subscribed, is passed over: it can ask.
     */
    public void announce(ChannelName name, List<PresenceMember> joined, List<PresenceMember> left) {
        loop.execute(() -> {
            ShardChannel channel = channels.get(name);
            if (channel != null) {
                joined.forEach(m -> announce(channel, true, m));
                left.forEach(m -> announce(channel, false, m));
                flushDirty();
            }
        });
    }

    private void announce(ShardChannel channel, boolean joined, PresenceMember member) {
        ServerFrames.moved(json.clear(), joined, channel.name.value(), member);
        Subscription[] subs = channel.ws;
        for (int i = 0, n = channel.wsCount; i < n; i++) {
            Subscription sub = subs[i];
            ReplayMerge merge = sub.merge;
            if ((merge == null || merge.begun()) && sub.session.writable() && !sub.session.is(member)) {
                guarded(sub.session, Session::sendJson);
            }
        }
    }

    /**
     * Asks every client to go elsewhere and closes the connections, spread over this time; any thread.
     *
     * @param spreadMs over how many milliseconds
     * @param done counted down once every client has been told and its close frame written
     */
    public void drain(int spreadMs, CountDownLatch done) {
        loop.execute(() -> departures.all(spreadMs, done));
    }

    /** Takes over a channel; on its loop. */
    void open(Channel channel, Handshake handshake) {
        assert loop.inEventLoop();
        if (!channel.isActive()) {
            return; // its end has been told already, so nobody would tell the session
        }
        Session session = new Session(this, handshake.identity(), handshake.format());
        session.start(channel, handshake);
    }
}

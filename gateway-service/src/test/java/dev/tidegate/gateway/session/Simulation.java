package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.fanout.Deliveries;
import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.gateway.fanout.FallbackDispatcher;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.HedgeRing;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ProvisionalBatch;
import dev.tidegate.gateway.fanout.ProvisionalInbox;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.protocol.Gap;
import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/**
 * One history of a gateway, from its seed: the real dispatcher, tail, shards, sessions and merges, with the network,
 * Kafka, the replay service, the clients and time simulated, on one thread. Every step is drawn at random; between the
 * parts of a tailer's batch anything else may happen.
 */
final class Simulation {
    private static final SlowClient[] POLICIES = SlowClient.values();
    private static final int HEARTBEAT_MS = 1000;

    /** Compressed and plain frames come in turn: an event has about as many bytes. */
    private static final int DEFLATED_FROM = 170;

    private static final ReplayMerge.Limits REPLAY =
            new ReplayMerge.Limits(3, 900, 2_000_000_000L, 5_000_000_000L, 2_000_000_000L, 250_000_000L);
    private static final SessionLimits LIMITS = new SessionLimits(HEARTBEAT_MS, 4096, 8, 2, 4, 10_000, false, REPLAY);

    private final Random random;
    private final List<String> trace;
    private final MockTicker clock = Ticker.newMockTicker();
    private final UnpooledByteBufAllocator allocator;
    private final Exhaustible batches;
    private final GatewayMetrics metrics = new GatewayMetrics();
    private final List<SimLoop> loops = new ArrayList<>();
    private final List<LoopShard> shards = new ArrayList<>();
    private final List<SimClient> clients = new ArrayList<>();
    private final Map<String, SimLog> logs = new HashMap<>();
    private final List<String> channels = new ArrayList<>();
    private final FanoutDispatcher dispatcher;
    private final FallbackDispatcher fallback;
    final SimRedis redis;
    private boolean frozen;
    private final int partitions;
    private long[] next;
    private Tail tail; // that loops move to, or stand on
    private boolean calm;
    private boolean moving = true;

    /** The topic as it is now. */
    private SimLog log;

    /** The incarnation the gateway follows. */
    SimLog gatewayLog;

    final SimReplay replay;
    long delivered;
    long gaps;
    long overflows;
    long provisional;

    /** @param trace receives what happens, or null */
    Simulation(long seed, boolean leakDetection, List<String> trace) {
        this.random = new Random(seed);
        this.trace = trace;
        this.allocator = new UnpooledByteBufAllocator(true, !leakDetection);
        this.batches = new Exhaustible(allocator);
        this.partitions = 1 + random.nextInt(3);
        for (int i = 0, n = 2 + random.nextInt(5); i < n; i++) {
            // Half of them in a namespace that does something else with slow clients than to park them.
            SlowClient policy = POLICIES[random.nextBoolean() ? 0 : random.nextInt(POLICIES.length)];
            channels.add((policy == SlowClient.PARK ? "" : policy + ":") + "c" + i);
        }
        newTopic();
        gatewayLog = log;
        replay = new SimReplay(random, clock::nanoTime, log, this::trace);
        replay.trouble = random.nextInt(3) * 25;
        replay.chainsFromCursor = random.nextInt(3) == 0;
        int n = 1 + random.nextInt(3);
        List<Inbox> inboxes = new ArrayList<>();
        Map<String, AccessPolicy.Namespace> namespaces = new HashMap<>();
        for (SlowClient policy : POLICIES) {
            namespaces.put(
                    policy == SlowClient.PARK ? "default" : policy.toString(),
                    new AccessPolicy.Namespace(100, false, true, true, true, policy, Delivery.ORDERED));
        }
        AccessPolicy access = new AccessPolicy(namespaces);
        var shared = new LoopShard.Shared(
                LIMITS,
                access,
                (token, done) -> {
                    throw new AssertionError("no tokens here");
                },
                replay,
                (identity, frame, done) -> {
                    throw new AssertionError("no publishing here");
                },
                new ScriptedDurableStore(),
                Presence.NONE,
                () -> moving,
                metrics);
        for (int i = 0; i < n; i++) {
            SimLoop loop = new SimLoop(clock);
            LoopShard shard = new LoopShard(i, loop, shared, new Random(random.nextLong()));
            loops.add(loop);
            shards.add(shard);
            inboxes.add(new Inbox(shard, loop, i == n - 1));
            loop.run(shard::start);
        }
        dispatcher = new FanoutDispatcher(
                inboxes, batches, SimLog.MAX_PAYLOAD, metrics, new FrameDeflater(1, DEFLATED_FROM));
        redis = new SimRedis(random);
        HedgeRing ring = new HedgeRing(HedgeRing.Settings.of(250), metrics);
        Deliveries deliveries =
                new Deliveries(Map.of("default", random.nextInt(3) == 0 ? Delivery.FASTEST : Delivery.ORDERED));
        dispatcher.meet(ring, deliveries, clock::nanoTime);
        fallback = new FallbackDispatcher(
                ring, deliveries, dispatcher::tail, inboxes, allocator, SimLog.MAX_PAYLOAD, metrics, clock::nanoTime);
        for (int i = 0, c = 3 + random.nextInt(6); i < c; i++) {
            clients.add(new SimClient(this, random, i, !replay.chainsFromCursor && random.nextInt(3) == 0));
        }
    }

    /** The dispatcher's allocator, which has nothing left when it is told so. */
    private static final class Exhaustible extends AbstractByteBufAllocator {
        private final ByteBufAllocator inner;
        boolean exhausted;

        Exhaustible(ByteBufAllocator inner) {
            this.inner = inner;
        }

        @Override
        protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
            return inner.heapBuffer(initialCapacity, maxCapacity);
        }

        @Override
        protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
            if (exhausted) {
                throw new OutOfMemoryError("for a test");
            }
            return inner.directBuffer(initialCapacity, maxCapacity);
        }

        @Override
        public boolean isDirectBufferPooled() {
            return inner.isDirectBufferPooled();
        }
    }

    /** The way from the dispatcher to a shard: where the tailer would wait for a loop, the loops run. */
    private final class Inbox implements ShardInbox, ProvisionalInbox {
        private final LoopShard shard;
        private final SimLoop loop;
        private final boolean last;
        private final ArrayList<Long> marks = new ArrayList<>();
        private final ArrayList<Long> copyMarks = new ArrayList<>();

        Inbox(LoopShard shard, SimLoop loop, boolean last) {
            this.shard = shard;
            this.loop = loop;
            this.last = last;
        }

        @Override
        public void offer(LoopBatch batch) throws InterruptedException {
            marks.removeIf(loop::passed);
            while (marks.size() == MAX_BATCHES) {
                loop.step();
                marks.removeIf(loop::passed);
            }
            shard.offer(batch);
            marks.add(loop.mark());
        }

        @Override
        public void offerProvisional(ProvisionalBatch batch) throws InterruptedException {
            copyMarks.removeIf(loop::passed);
            while (copyMarks.size() == MAX_BATCHES) {
                loop.step();
                copyMarks.removeIf(loop::passed);
            }
            shard.offerProvisional(batch);
            copyMarks.add(loop.mark());
        }

        @Override
        public void moveTo(Tail tail, CountDownLatch done) {
            shard.moveTo(tail, done);
            await(done);
        }

        @Override
        public void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done) {
            shard.skip(tail, partition, position, reason, done);
            await(done);
        }

        private void await(CountDownLatch done) {
            while (last && done.getCount() > 0) {
                interleave();
                loops.get(random.nextInt(loops.size())).step();
            }
        }
    }

    // ---- the history

    void run(int steps) throws InterruptedException {
        calm = true; // a gateway takes nobody in before it has found its topic
        move();
        calm = false;
        for (int i = 0; i < steps; i++) {
            if (random.nextInt(8) == 0) {
                poll();
            } else {
                step();
            }
        }
        settle();
        finish();
    }

    private void step() {
        int r = random.nextInt(1000);
        if (r < 300) {
            loops.get(random.nextInt(loops.size())).step();
        } else if (r < 600) {
            clients.get(random.nextInt(clients.size())).act();
        } else if (r < 690) {
            log.append(random);
        } else if (r < 715) {
            redis.publish(anyChannel());
        } else if (r < 735) {
            redis.store(log);
        } else if (r < 760) {
            arrive(random.nextInt(4));
        } else if (r < 880) {
            replay.step();
        } else if (r < 960) {
            clock.advance(random.nextInt(120), TimeUnit.MILLISECONDS);
        } else if (r < 975) {
            int p = random.nextInt(partitions);
            log.expire(p, log.start[p] + random.nextInt(8));
            trace("partition %s now starts at %s", p, log.start[p]);
        } else if (r < 985) {
            replay.log = log;
        } else if (r < 990) {
            replay.trouble = random.nextInt(5) * 25;
        } else if (r < 994) {
            moving = random.nextInt(4) > 0;
        } else if (r >= 997) {
            frozen = random.nextInt(3) > 0;
            trace("the link to Kafka is %s", frozen ? "cut" : "well");
        } else if (r < 996 && random.nextInt(3) == 0) {
            newTopic();
            trace("the topic is recreated: %s", log.epoch);
        }
    }

    private void arrive(int most) {
        try {
            redis.arrive(fallback, most);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Something else happens. */
    private void interleave() {
        if (!calm) {
            for (int i = random.nextInt(6) - 2; i > 0; i--) {
                step();
            }
        }
    }

    private void newTopic() {
        log = new SimLog("epoch" + logs.size(), partitions, channels);
        logs.put(log.epoch, log);
        for (int i = random.nextInt(40); i > 0; i--) {
            log.append(random);
        }
        for (int p = 0; p < partitions; p++) {
            if (random.nextBoolean()) {
                log.expire(p, random.nextInt(5));
            }
        }
    }

    /** The tailer polls once. */
    private void poll() throws InterruptedException {
        if (frozen) {
            return;
        }
        try {
            pollOnce();
        } finally {
            dispatcher.idle();
        }
    }

    private void pollOnce() throws InterruptedException {
        if (gatewayLog != log) {
            if (calm || random.nextInt(4) == 0) {
                move();
            }
            return;
        }
        SimLog log = gatewayLog;
        for (int p = 0; p < partitions; p++) {
            if (next[p] < log.start[p]) {
                long to = log.start[p];
                log.lostToTailer[p] = to;
                next[p] = to;
                trace("retention has overtaken the tailer: partition %s to %s", p, to - 1);
                dispatcher.skip(p, to - 1, Gap.Reason.EXPIRED);
                return;
            }
        }
        List<ConsumerRecord<byte[], byte[]>> batch = new ArrayList<>();
        dispatcher.begin();
        for (int p = 0; p < partitions; p++) {
            long end = Math.min(log.end(p), next[p] + random.nextInt(6) - 1);
            if (end < next[p]) {
                continue;
            }
            for (long o = next[p]; o <= end; o++) {
                if (log.record(p, o) != null) {
                    batch.add(log.record(p, o));
                }
            }
            next[p] = end + 1;
            trace("tailer: partition %s reaches %s", p, end);
            dispatcher.moved(p, end);
            interleave();
        }
        int fault = calm ? -1 : random.nextInt(60);
        dispatcher.lookUp();
        interleave();
        for (ConsumerRecord<byte[], byte[]> record : batch) {
            if (fault == 0 && random.nextInt(3) == 0) {
                trace("tailer: breaks off");
                readAgain();
                return;
            }
            dispatcher.record(record);
            if (random.nextInt(4) == 0) {
                interleave();
            }
        }
        trace("tailer: ends the batch");
        batches.exhausted = fault == 1;
        try {
            dispatcher.end(batch.size());
        } catch (OutOfMemoryError e) {
            trace("tailer: has no memory");
            readAgain();
        } finally {
            batches.exhausted = false;
        }
    }

    /** As the tailer does after a fault: on from what has been dispatched. */
    private void readAgain() {
        for (int p = 0; p < partitions; p++) {
            next[p] = dispatcher.tail().dispatched(p) + 1;
        }
    }

    private void move() throws InterruptedException {
        boolean first = next == null;
        gatewayLog = log;
        next = new long[partitions];
        long[] start = new long[partitions];
        for (int p = 0; p < partitions; p++) {
            next[p] = first ? log.end(p) + 1 : log.start[p];
            start[p] = next[p] - 1;
        }
        trace("the tailer follows %s", log.epoch);
        tail = new Tail(log.epoch, start, loops.size());
        dispatcher.moveTo(tail);
    }

    /** Everything is well again: every client must come to the end of the log. */
    private void settle() throws InterruptedException {
        trace("---- settle");
        calm = true;
        moving = true;
        frozen = false;
        while (redis.store(log)) {}
        replay.trouble = 0;
        replay.log = log;
        for (int round = 0; ; round++) {
            for (SimClient c : clients) {
                c.calmDown();
            }
            poll();
            arrive(10);
            for (int i = 0; i < 40; i++) {
                while (replay.step()) {}
                loops.forEach(l -> {
                    while (l.step()) {}
                });
                for (SimClient c : clients) {
                    if (c.connected()) {
                        c.receive(Integer.MAX_VALUE);
                    }
                }
            }
            clock.advance(100, TimeUnit.MILLISECONDS);
            String unfinished = round < 60 ? "settling" : unfinished();
            if (unfinished == null) {
                return;
            }
            if (round > 400) {
                throw new AssertionError("after 40 s of calm: " + unfinished);
            }
        }
    }

    private String unfinished() {
        for (SimClient c : clients) {
            String u = c.unfinished();
            if (u != null) {
                return u;
            }
        }
        return null;
    }

    private void finish() {
        int subscribed = 0;
        for (SimClient c : clients) {
            subscribed += c.connected() ? c.channels() : 0;
        }
        check(
                metrics.subscriptions.sum() == subscribed,
                "subscriptions: " + metrics.subscriptions + ", not " + subscribed);
        for (SimClient c : clients) {
            if (c.connected()) {
                c.disconnect();
            }
        }
        loops.forEach(l -> {
            while (l.step()) {}
        });
        for (LoopShard shard : shards) {
            check(shard.kept.used() == 0, "kept for slow connections that are gone: " + shard.kept.used());
        }
        check(metrics.faults.sum() == 0, "faults: " + metrics.faults);
        check(metrics.connections.sum() == 0, "connections left: " + metrics.connections);
        check(metrics.subscriptions.sum() == 0, "subscriptions left: " + metrics.subscriptions);
        check(
                dispatcher.tail().channels() == 0,
                "channels left: " + dispatcher.tail().channels());
        long direct = allocator.metric().usedDirectMemory();
        long heap = allocator.metric().usedHeapMemory();
        check(direct == 0 && heap == 0, "leaked: " + direct + " bytes direct, " + heap + " heap");
    }

    private static void check(boolean ok, String what) {
        if (!ok) {
            throw new AssertionError(what);
        }
    }

    // ---- what clients ask

    String anyChannel() {
        return channels.get(random.nextInt(channels.size()));
    }

    LoopShard anyShard() {
        return shards.get(random.nextInt(shards.size()));
    }

    SimChannel newChannel(LoopShard shard) {
        int high = 200 + random.nextInt(2000);
        return new SimChannel((SimLoop) shard.loop, allocator, high / 4, high);
    }

    /** The incarnation of this epoch; an empty one for a topic that is not ours. */
    SimLog log(String epoch) {
        SimLog found = logs.get(epoch);
        return found != null ? found : new SimLog(epoch, partitions, channels);
    }

    /** The offset of the last record that the tailer has passed or is about to look up. */
    long tailPosition(int partition) {
        return tail.position(partition);
    }

    @SuppressWarnings("AnnotateFormatMethod") // the annotation would cost a dependency
    void trace(String format, Object... args) {
        if (trace != null) {
            trace.add(clock.nanoTime() / 1_000_000 + " " + String.format(format, args));
        }
    }
}

package dev.tidegate.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.fanout.Batches;
import dev.tidegate.gateway.fanout.Delivery;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.LoopBatch;
import dev.tidegate.gateway.fanout.ShardInbox;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.resume.ReplayMerge;
import dev.tidegate.gateway.resume.ReplaySource;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.Gap;
import dev.tidegate.protocol.Replay;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** One shard on a loop and a clock that are run by hand, with scripted neighbours. */
final class ShardUnderTest {
    static final int HEARTBEAT_MS = 1000;
    static final int MAX_FRAME = 1000;
    static final SessionLimits LIMITS =
            new SessionLimits(HEARTBEAT_MS, MAX_FRAME, 3, 2, 2, 3_000, false, ReplayMerge.Limits.DEFAULT);

    final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
    final MockTicker clock = Ticker.newMockTicker();
    final SimLoop loop = new SimLoop(clock);
    final GatewayMetrics metrics = new GatewayMetrics();
    final List<Replay.Request> replays = new ArrayList<>();
    final List<ReplaySource.Listener> replayAnswers = new ArrayList<>();
    final List<ClientFrame.Publish> publishes = new ArrayList<>();
    final List<Consumer<EventPublisher.Outcome>> publishAnswers = new ArrayList<>();
    final ScriptedPresence presence = new ScriptedPresence();
    final ScriptedDurableStore cursors = new ScriptedDurableStore();
    final Map<String, TokenVerifier.Verdict> tokens = new HashMap<>();
    final LoopShard shard;
    private TokenVerifier judge =
            (token, done) -> done.accept(tokens.getOrDefault(token, new TokenVerifier.Verdict.Rejected("no")));
    private final FanoutDispatcher dispatcher;
    private long next;

    ShardUnderTest(SessionLimits limits) throws InterruptedException {
        this(limits, false);
    }

    /** @param personal whether there is a namespace {@code user} whose channels are personal */
    ShardUnderTest(SessionLimits limits, boolean personal) throws InterruptedException {
        Map<String, AccessPolicy.Namespace> namespaces = new HashMap<>();
        namespaces.put("default", new AccessPolicy.Namespace(100, false, true, true, true));
        for (SlowClient policy : SlowClient.values()) {
            namespaces.put(
                    policy.toString(),
                    new AccessPolicy.Namespace(100, false, true, true, true, policy, Delivery.ORDERED));
        }
        if (personal) {
            namespaces.put("user", new AccessPolicy.Namespace(100, true, false, false, true));
        }
        AccessPolicy access = new AccessPolicy(namespaces);
        shard = new LoopShard(
                0,
                loop,
                new LoopShard.Shared(
                        limits,
                        access,
                        (token, done) -> judge.verify(token, done),
                        (request, listener) -> {
                            replays.add(request);
                            replayAnswers.add(listener);
                            return () -> {};
                        },
                        (identity, frame, done) -> {
                            publishes.add(frame);
                            publishAnswers.add(done);
                        },
                        cursors,
                        presence,
                        () -> true,
                        metrics),
                new Random(1));
        shard.start();
        dispatcher = new FanoutDispatcher(
                List.of(new ShardInbox() {
                    @Override
                    public void offer(LoopBatch batch) throws InterruptedException {
                        shard.offer(batch);
                        runLoop();
                    }

                    @Override
                    public void moveTo(Tail tail, CountDownLatch done) {
                        shard.moveTo(tail, done);
                        runLoop();
                    }

                    @Override
                    public void skip(Tail tail, int partition, long position, Gap.Reason reason, CountDownLatch done) {
                        shard.skip(tail, partition, position, reason, done);
                        runLoop();
                    }
                }),
                allocator,
                1 << 20,
                metrics,
                new FrameDeflater(6, 256));
        dispatcher.moveTo(new Tail("epoch000", new long[] {-1}, 1));
    }

    /** From now on verdicts are given through this list: one place for each token that was asked about. */
    List<Consumer<TokenVerifier.Verdict>> judgeTokensByHand() {
        List<Consumer<TokenVerifier.Verdict>> asked = new ArrayList<>();
        judge = (token, done) -> asked.add(done);
        return asked;
    }

    /** Publishes to channels, each record a batch of its own. */
    void publish(String channel, String json) throws InterruptedException {
        dispatcher.begin();
        dispatcher.moved(0, next);
        dispatcher.lookUp();
        dispatcher.record(Batches.record(0, next++, channel, json));
        dispatcher.end(1);
    }

    /** Publishes events of one channel in one batch: data and subject in turn, a subject of "" is none. */
    void publishBatch(String channel, String... jsonThenSubject) throws InterruptedException {
        int n = jsonThenSubject.length / 2;
        dispatcher.begin();
        dispatcher.moved(0, next + n - 1);
        dispatcher.lookUp();
        for (int i = 0; i < 2 * n; i += 2) {
            String data = jsonThenSubject[i];
            String subject = jsonThenSubject[i + 1];
            dispatcher.record(
                    subject.isEmpty()
                            ? Batches.record(0, next++, channel, data)
                            : Batches.record(0, next++, channel, data, subject));
        }
        dispatcher.end(n);
    }

    /** Publishes to a channel that lies in this partition, at this offset. */
    void publishAt(int partition, long offset, String channel, String json) throws InterruptedException {
        dispatcher.begin();
        dispatcher.moved(partition, offset);
        dispatcher.lookUp();
        dispatcher.record(Batches.record(partition, offset, channel, json));
        dispatcher.end(1);
    }

    /** The topic gets more partitions, as the tailer does it that last knew where the channels were at offset {@code sure}. */
    void growTopic(int partitions, long sure) throws InterruptedException {
        Tail old = dispatcher.tail();
        long[] start = new long[partitions];
        Arrays.fill(start, -1);
        for (int p = 0; p < old.partitions(); p++) {
            start[p] = old.dispatched(p);
        }
        dispatcher.moveTo(old.grown(start, Collections.nCopies(old.partitions(), sure)));
    }

    /** The topic is made anew: its first record is to be at offset 0. */
    void recreateTopic(String epoch) throws InterruptedException {
        dispatcher.moveTo(new Tail(epoch, new long[] {-1}, 1));
        next = 0;
    }

    void runLoop() {
        while (loop.step()) {}
    }

    /** Time passes in steps of the sweep. */
    void pass(long millis) {
        for (long t = 0; t < millis; t += Sweep.TICK_MS) {
            clock.advance(Sweep.TICK_MS, TimeUnit.MILLISECONDS);
            runLoop();
        }
    }

    Peer connect() {
        return connect(Identity.ANONYMOUS, Handshake.WireFormat.WEBSOCKET, List.of());
    }

    Peer connect(Identity identity, Handshake.WireFormat format, List<Handshake.Subscribe> subscribes) {
        return connect(identity, format, subscribes, allocator);
    }

    Peer connect(
            Identity identity,
            Handshake.WireFormat format,
            List<Handshake.Subscribe> subscribes,
            ByteBufAllocator ofTheChannel) {
        SimChannel channel = new SimChannel(loop, ofTheChannel, 8 * 1024, 16 * 1024);
        loop.run(() -> shard.open(channel, new Handshake(identity, format, subscribes)));
        runLoop();
        return new Peer(channel);
    }

    /** The client's end of a WebSocket. */
    final class Peer {
        final SimChannel channel;
        final List<String> texts = new ArrayList<>();
        int pings;

        /** Compressed text frames so far. */
        int deflated;

        final List<byte[]> pongs = new ArrayList<>();
        int closeCode;
        String closeReason = "";

        private Peer(SimChannel channel) {
            this.channel = channel;
        }

        /** Sends a frame with a mask, in one piece. */
        void frame(boolean fin, int opcode, byte[] payload) {
            ByteBuf b = Unpooled.buffer();
            write(b, fin, opcode, payload);
            channel.send(b);
            runLoop();
        }

        /** Sends text frames that one read brings. */
        void textsAtOnce(String... json) {
            ByteBuf b = Unpooled.buffer();
            for (String s : json) {
                write(b, true, 1, s.getBytes(StandardCharsets.UTF_8));
            }
            channel.send(b);
            runLoop();
        }

        private static void write(ByteBuf b, boolean fin, int opcode, byte[] payload) {
            b.writeByte((fin ? 0x80 : 0) | opcode);
            if (payload.length < 126) {
                b.writeByte(0x80 | payload.length);
            } else if (payload.length < 65536) {
                b.writeByte(0x80 | 126).writeShort(payload.length);
            } else {
                b.writeByte(0x80 | 127).writeLong(payload.length);
            }
            b.writeInt(0x01020304);
            byte[] mask = {1, 2, 3, 4};
            for (int i = 0; i < payload.length; i++) {
                b.writeByte(payload[i] ^ mask[i & 3]);
            }
        }

        void text(String json) {
            frame(true, 1, json.getBytes(StandardCharsets.UTF_8));
        }

        /** Subscribes from now on. */
        void subscribe(String name) {
            text("{\"op\":\"subscribe\",\"channel\":\"" + name + "\"}");
            assertThat(readOne()).contains("\"recovery\":\"none\"");
        }

        /** The text frames since the last call. */
        List<String> read() {
            runLoop();
            byte[] b = channel.take();
            int at = 0;
            List<String> news = new ArrayList<>();
            while (at < b.length) {
                int opcode = b[at] & 0xff;
                int length = b[at + 1] & 0xff;
                int head = 2;
                if (length == 126) {
                    length = ((b[at + 2] & 0xff) << 8) | (b[at + 3] & 0xff);
                    head = 4;
                }
                byte[] payload = java.util.Arrays.copyOfRange(b, at + head, at + head + length);
                at += head + length;
                switch (opcode) {
                    case 0x81 -> news.add(new String(payload, StandardCharsets.UTF_8));
                    case 0xc1 -> {
                        news.add(new String(Deflated.inflate(payload), StandardCharsets.UTF_8));
                        deflated++;
                    }
                    case 0x88 -> {
                        closeCode = ((payload[0] & 0xff) << 8) | (payload[1] & 0xff);
                        closeReason = new String(payload, 2, payload.length - 2, StandardCharsets.UTF_8);
                    }
                    case 0x89 -> pings++;
                    case 0x8A -> pongs.add(payload);
                    default -> throw new AssertionError("opcode " + opcode);
                }
            }
            texts.addAll(news);
            return news;
        }

        /** The text frame that has come; the only one. */
        String readOne() {
            List<String> news = read();
            if (news.size() != 1) {
                throw new AssertionError("frames: " + news);
            }
            return news.getFirst();
        }

        /** What an event stream has got since the last call. */
        String readBytes() {
            runLoop();
            return new String(channel.take(), StandardCharsets.UTF_8);
        }

        boolean isOpen() {
            return channel.isOpen();
        }
    }
}

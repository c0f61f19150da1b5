package dev.tidegate.perf.jmh;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.fanout.FanoutDispatcher;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.session.DurableStore;
import dev.tidegate.gateway.session.Handshake;
import dev.tidegate.gateway.session.LoopShard;
import dev.tidegate.gateway.session.Presence;
import dev.tidegate.gateway.session.SessionLimits;
import dev.tidegate.gateway.session.Shards;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.DurableCursors;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The broadcast of one channel to 5,000 subscribers of one loop, from the record to Netty's outbound buffer and out of
 * it: all of a delivery but the system call. Per delivery; the yardstick walks the same channels and does nothing but read a
 * field of each, which is what the memory alone costs.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders", "--enable-native-access=ALL-UNNAMED", "-Xmx1g"})
public class ShardBenchmark {
    static final int SUBSCRIBERS = 5_000;
    private static final String CHANNEL = "news";

    /** Bytes that no frame with an event is as small as: the shard's sweep goes on during the benchmark, and pings. */
    private static final int HEARTBEAT = 100;

    /** Events that one batch brings for the channel; a subscriber costs one write, however many they are. */
    @Param({"1", "5"})
    public int events;

    private final byte[] key = Records.channel(CHANNEL, 0);
    private final byte[] body = Records.payload(128);
    private final EmbeddedChannel[] channels = new EmbeddedChannel[SUBSCRIBERS];
    private final Sink first = new Sink();
    private final Shards shards = new Shards(first.eventLoop(), shared());
    private final FanoutDispatcher dispatcher =
            new FanoutDispatcher(shards.all(), ByteBufAllocator.DEFAULT, 65_536, new GatewayMetrics());
    private long offset;

    /** A channel whose other end takes everything at once. */
    static final class Sink extends EmbeddedChannel {
        long messages;
        long bytes;

        @Override
        protected void handleOutboundMessage(Object message) {
            ByteBuf b = (ByteBuf) message;
            if (b.readableBytes() > HEARTBEAT) {
                messages++;
                bytes += b.readableBytes();
            }
            b.release();
        }
    }

    private static LoopShard.Shared shared() {
        var everybody = new AccessPolicy.Namespace(1000, false, true, true, true);
        return new LoopShard.Shared(
                SessionLimits.DEFAULT,
                new AccessPolicy(Map.of(ChannelName.DEFAULT_NAMESPACE, everybody)),
                (token, done) -> {
                    throw new IllegalStateException("nobody gives a token here");
                },
                (request, listener) -> {
                    throw new IllegalStateException("nobody resumes here");
                },
                (identity, frame, done) -> {
                    throw new IllegalStateException("nobody publishes here");
                },
                new DurableStore() {
                    @Override
                    public void store(List<DurableCursors.Ack> batch, Consumer<Stored> done) {
                        throw new IllegalStateException("nobody acknowledges here");
                    }

                    @Override
                    public void find(DurableCursors.CursorKey key, Consumer<Found> done) {
                        throw new IllegalStateException("nobody resumes here");
                    }
                },
                Presence.NONE,
                () -> false,
                new GatewayMetrics());
    }

    @Setup
    public void prepare() throws InterruptedException {
        // The dispatcher waits for the loop, which is this thread: so the shard is moved beforehand, by a helper of one
        // run.
        Tail tail = new Tail("Epoch123", new long[] {-1}, 1);
        Thread move = Thread.ofPlatform().daemon().start(() -> {
            try {
                dispatcher.moveTo(tail);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
        while (move.isAlive()) {
            first.runPendingTasks();
            Thread.onSpinWait();
        }
        var handshake = new Handshake(
                Identity.ANONYMOUS,
                Handshake.WireFormat.WEBSOCKET,
                List.of(new Handshake.Subscribe(ChannelName.parse(CHANNEL + "0"), null, 0)));
        for (int i = 0; i < SUBSCRIBERS; i++) {
            channels[i] = i == 0 ? first : new Sink();
            shards.open(channels[i], handshake);
        }
        first.runPendingTasks();
    }

    /** One batch with {@link #events} events of the channel, to every subscriber. */
    @Benchmark
    @OperationsPerInvocation(SUBSCRIBERS)
    public void broadcast() throws InterruptedException {
        dispatcher.begin();
        dispatcher.moved(0, offset + events - 1);
        dispatcher.lookUp();
        for (int i = 0; i < events; i++) {
            dispatcher.record(Records.of(0, offset++, key, body));
        }
        dispatcher.end(events);
        first.runPendingTasks();
    }

    /** The yardstick. */
    @Benchmark
    @OperationsPerInvocation(SUBSCRIBERS)
    public long onlyWalking() {
        long writable = 0;
        for (EmbeddedChannel c : channels) {
            writable += c.isWritable() ? 1 : 0;
        }
        return writable;
    }

    /** Messages and bytes that a subscriber's channel has been given; for the test. */
    long[] receivedBy(int subscriber) {
        Sink s = (Sink) channels[subscriber];
        return new long[] {s.messages, s.bytes};
    }
}

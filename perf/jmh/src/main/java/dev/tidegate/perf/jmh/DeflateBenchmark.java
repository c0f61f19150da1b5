package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.tidegate.gateway.fanout.FrameDeflater;
import dev.tidegate.gateway.fanout.WireFormats;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What compressing costs, once for each record that somebody takes compressed, and what it saves: bytes of the frame go
 * to standard output at the start. Beside it the plain frame of the same event as the yardstick. Every call frames
 * another event of {@value #EVENTS}, so that no branch learns one by heart.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders"})
public class DeflateBenchmark {
    private static final int EVENTS = 256;

    /** Bytes of the payload. */
    @Param({"128", "1024"})
    public int size;

    /** JSON objects whose members recur and whose values do not, or one string of hexadecimal digits drawn at random. */
    @Param({"orders", "noise"})
    public String payload = "orders";

    /** zlib's level. */
    @Param({"1", "6", "9"})
    public int level = 6;

    private final FrameBuffer[] json = new FrameBuffer[EVENTS];
    private final FrameBuffer framed = new FrameBuffer(4096);
    private FrameDeflater deflater = new FrameDeflater(level, 1);
    private int turn;

    @Setup
    public void prepare() {
        deflater = new FrameDeflater(level, 1);
        Random random = new Random(42);
        FanoutRecord record = new FanoutRecord();
        byte[] channel = "orders:eu".getBytes(US_ASCII);
        long from = 0;
        long to = 0;
        for (int i = 0; i < EVENTS; i++) {
            byte[] body = (payload.equals("orders") ? orders(random) : noise(random)).getBytes(US_ASCII);
            record.wrap(channel, body, 1_700_000_000_000L + 977L * i);
            json[i] = new FrameBuffer(64);
            EventFrames.encode(json[i], "Epoch123", 7, 184_467L + i, 184_466L + i, record, false);
            from += plain();
            turn--;
            to += deflated();
        }
        turn = 0;
        System.out.printf(
                Locale.ROOT,
                "%n# %s of %d bytes, level %d: a frame has %d bytes, compressed %d%n",
                payload,
                size,
                level,
                from / EVENTS,
                to / EVENTS);
    }

    private String orders(Random r) {
        StringBuilder out = new StringBuilder("[");
        while (out.isEmpty() || out.length() < size - 100) {
            out.append(String.format(
                    Locale.ROOT,
                    "{\"id\":\"%08x\",\"symbol\":\"%c%c%c\",\"side\":\"%s\",\"price\":%.2f,\"quantity\":%d,\"open\":%b},",
                    r.nextInt(),
                    'A' + r.nextInt(26),
                    'A' + r.nextInt(26),
                    'A' + r.nextInt(26),
                    r.nextBoolean() ? "buy" : "sell",
                    r.nextDouble() * 500,
                    r.nextInt(10_000),
                    r.nextBoolean()));
        }
        out.append('"');
        while (out.length() < size - 2) {
            out.append((char) ('a' + r.nextInt(26)));
        }
        return out.append("\"]").toString();
    }

    private String noise(Random r) {
        StringBuilder out = new StringBuilder("\"");
        while (out.length() < size - 1) {
            out.append(Character.forDigit(r.nextInt(16), 16));
        }
        return out.append('"').toString();
    }

    private FrameBuffer next() {
        return json[turn++ & (EVENTS - 1)];
    }

    /** The yardstick. */
    @Benchmark
    public int plain() {
        WireFormats.webSocketText(framed.clear(), next());
        return framed.size();
    }

    @Benchmark
    public int deflated() {
        int _ = deflater.append(framed.clear(), next());
        return framed.size();
    }
}

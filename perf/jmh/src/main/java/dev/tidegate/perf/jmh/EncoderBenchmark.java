package dev.tidegate.perf.jmh;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.tidegate.gateway.fanout.WireFormats;
import dev.tidegate.protocol.EventFrames;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.JsonScanner;
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

/** What is done once for each record that somebody wants: check it, encode its frame, frame that for the wire. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"-XX:+UseCompactObjectHeaders"})
public class EncoderBenchmark {
    /** Bytes of the payload. */
    @Param({"128", "1024", "16384"})
    public int size;

    /** What it holds: one JSON string, JSON objects, text, or bytes (as Base64). */
    @Param({"string", "objects", "text", "binary"})
    public String payload = "string";

    private final byte[] channel = "orders:eu".getBytes(US_ASCII);
    private final FanoutRecord record = new FanoutRecord();
    private final FrameBuffer json = new FrameBuffer(4096);
    private final FrameBuffer framed = new FrameBuffer(4096);
    private byte[] body = new byte[0];

    @Setup
    public void prepare() {
        body = payload.equals("objects") ? objects(size) : Records.payload(size);
        wrap();
    }

    private static byte[] objects(int size) {
        String one = "{\"id\":12345,\"name\":\"Ada \\\"L\\\"\",\"tags\":[\"a\",\"b\",true,null],\"price\":-12.5e3},";
        StringBuilder out = new StringBuilder("[");
        while (out.length() + one.length() < size) {
            out.append(one);
        }
        return out.append("{}]").toString().getBytes(US_ASCII);
    }

    private void wrap() {
        record.wrap(channel, body, 1_700_000_000_000L);
        switch (payload) {
            case "text" -> record.header(FanoutRecord.HEADER_CONTENT_TYPE, "text/plain".getBytes(US_ASCII));
            case "binary" -> record.header(FanoutRecord.HEADER_CONTENT_TYPE, "image/png".getBytes(US_ASCII));
            default -> {
                // JSON needs none
            }
        }
    }

    /** Whether the record is an event at all: most of it is the scan of a JSON payload. */
    @Benchmark
    public boolean check() {
        return record.check(65_536) == null;
    }

    @Benchmark
    public boolean scan() {
        return JsonScanner.isValid(body);
    }

    @Benchmark
    public int encode() {
        EventFrames.encode(json.clear(), "Epoch123", 7, 184_467L, 184_460L, record, false);
        return json.size();
    }

    @Benchmark
    public int webSocketFrame() {
        EventFrames.encode(json.clear(), "Epoch123", 7, 184_467L, 184_460L, record, false);
        WireFormats.webSocketText(framed.clear(), json);
        return framed.size();
    }
}

package dev.tidegate.gateway.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.FrameBuffer;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bytes of compressed frames, and the buffers that they lie in. */
class FrameDeflaterTest {
    private static FrameBuffer json(byte[] bytes) {
        return new FrameBuffer(16).raw(bytes);
    }

    private static byte[] ascii(String s) {
        return s.getBytes(StandardCharsets.US_ASCII);
    }

    private static byte[] inflated(byte[] framed, int from) throws DataFormatException {
        Inflater i = new Inflater(true);
        i.setInput(framed, from, framed.length - from);
        byte[] out = new byte[1 << 20];
        int n = i.inflate(out);
        i.setInput(new byte[] {0, 0, (byte) 0xff, (byte) 0xff});
        n += i.inflate(out, n, out.length - n);
        i.end();
        return Arrays.copyOf(out, n);
    }

    @Test
    void writesWhatTheSpecificationShows() {
        // given
        FrameDeflater deflater = new FrameDeflater(6, 1);
        FrameBuffer out = new FrameBuffer(16);

        // when: the same message twice, and in between one that does not shrink
        int first = deflater.append(out, json(ascii("HelloHelloHelloHello")));
        int second = deflater.append(out, json(ascii("Hi")));
        int third = deflater.append(out, json(ascii("HelloHelloHelloHello")));

        // then: f2 48 cd c9 c9 (Hello) as in RFC 7692, 7.2.3.1, then the repetition; nothing of the first in the third
        String hello = HexFormat.of().formatHex(out.toBytes(), 0, 2 + first);
        assertThat(hello).matches("c10[0-9a-f]f248cdc9c9.*00");
        assertThat(second).isEqualTo(FrameDeflater.AS_IT_IS);
        assertThat(third).isEqualTo(first);
        assertThat(HexFormat.of().formatHex(out.toBytes())).isEqualTo(hello + "8102" + "4869" + hello);
    }

    @Test
    void leavesWhatIsBelowTheThreshold() {
        // given
        FrameDeflater deflater = new FrameDeflater(6, 100);

        // when / then
        assertThat(deflater.append(new FrameBuffer(16), json(ascii("a".repeat(99)))))
                .isEqualTo(FrameDeflater.AS_IT_IS);
        assertThat(deflater.append(new FrameBuffer(16), json(ascii("a".repeat(100)))))
                .isBetween(1, 99);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 6, 9})
    void keepsEveryMessageWhole(int level) throws DataFormatException {
        // given
        FrameDeflater deflater = new FrameDeflater(level, 1);
        Random random = new Random(level);
        for (int size : new int[] {5, 100, 125, 126, 4096, 65_535, 65_536, 500_000}) {
            byte[] message = new byte[size];
            for (int i = 0; i < size; i++) {
                message[i] = (byte) ('a' + random.nextInt(1 + size % 7));
            }
            FrameBuffer out = new FrameBuffer(16);

            // when
            int n = deflater.append(out, json(message));

            // then
            byte[] framed = out.toBytes();
            if (n == FrameDeflater.AS_IT_IS) {
                assertThat(size).isLessThan(100);
                assertThat(framed[0]).isEqualTo((byte) 0x81);
            } else {
                assertThat(framed[0]).isEqualTo((byte) 0xc1);
                assertThat(inflated(framed, framed.length - n)).isEqualTo(message);
            }
        }
    }

    @Test
    void leavesWhatDoesNotShrink() {
        // given
        FrameDeflater deflater = new FrameDeflater(9, 1);
        byte[] noise = new byte[10_000];
        new Random(3).nextBytes(noise);
        FrameBuffer out = new FrameBuffer(16);

        // when
        int n = deflater.append(out, json(noise));

        // then
        assertThat(n).isEqualTo(FrameDeflater.AS_IT_IS);
        assertThat(Arrays.copyOfRange(out.toBytes(), 4, 10_004)).isEqualTo(noise);
    }

    @Test
    void laysCompressedFramesBesidePlainOnesWhereTheyAreWanted() throws Exception {
        // given: b is wanted compressed, a is not, c is a stream's beside
        UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);
        Batches batches = new Batches(allocator, new FrameDeflater(6, 1));
        batches.want("a", false);
        batches.want("b", false).deflate(0, true);
        batches.want("c", false).deflate(0, true);
        batches.want("c", true);
        String text = "\"" + "b".repeat(500) + "\"";

        // when
        LoopBatch batch = batches.batch(0, "a", text, "b", text, "c", text, "b", "2");

        // then
        assertThat(batch.frames(0, true)).isSameAs(batch.frames(0, false));
        assertThat(taken(batch.frames(0, true).from(0, 0))).isEqualTo(taken(batch.ws(0, 0)));
        LoopBatch.Frames b = batch.frames(1, true);
        assertThat(b.bytes(1)).isLessThan(batch.wsBytes(1) / 2);
        byte[] both = taken(b.from(1, 0));
        byte[] second = taken(b.from(1, 1));
        assertThat(both[0]).isEqualTo((byte) 0xc1);
        assertThat(Arrays.copyOfRange(both, both.length - second.length, both.length))
                .isEqualTo(second);
        assertThat(taken(b.rest(1, 7))).isEqualTo(Arrays.copyOfRange(both, 7, both.length));
        byte[] plain = taken(batch.ws(2, 0));
        byte[] compressed = taken(batch.frames(2, true).from(2, 0));
        assertThat(inflated(compressed, 2 + (compressed[1] == 126 ? 2 : 0)))
                .isEqualTo(Arrays.copyOfRange(plain, 4, plain.length));

        // and: what is kept for a resuming subscription is plain, as its bound counts it
        LoopBatch copy = batch.copyOf(1);
        assertThat(taken(copy.frames(0, true).from(0, 0))).isEqualTo(taken(batch.ws(1, 0)));
        copy.release();
        batch.release();
        assertThat(allocator.metric().usedDirectMemory()).isZero();
    }

    private static byte[] taken(ByteBuf buf) {
        byte[] bytes = new byte[buf.readableBytes()];
        buf.readBytes(bytes);
        buf.release();
        return bytes;
    }
}

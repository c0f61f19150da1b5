package dev.tidegate.perf.swarm;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FrameReaderTest {
    /** Writes down what it is told. */
    private static final class Notes implements FrameReader.Sink {
        final List<String> notes = new ArrayList<>();
        boolean inFrames;

        @Override
        public boolean head(byte[] b, int from, int to) {
            inFrames = true;
            return notes.add("head " + new String(b, from, to - from, UTF_8));
        }

        @Override
        public boolean text(byte[] b, int from, int to) {
            return notes.add("text " + new String(b, from, to - from, UTF_8));
        }

        @Override
        public boolean ping(byte[] b, int from, int to) {
            return notes.add("ping " + new String(b, from, to - from, UTF_8));
        }

        @Override
        public boolean closing(int code) {
            notes.add("close " + code);
            return false;
        }

        @Override
        public void broken(String why) {
            notes.add("broken");
        }
    }

    private static void frame(ByteArrayOutputStream out, int first, byte[] payload) {
        out.write(first);
        int n = payload.length;
        if (n < 126) {
            out.write(n);
        } else if (n < 65536) {
            out.write(126);
            out.write(n >> 8);
            out.write(n);
        } else {
            out.write(127);
            for (int shift = 56; shift >= 0; shift -= 8) {
                out.write((int) ((long) n >> shift));
            }
        }
        out.writeBytes(payload);
    }

    @Test
    void framesAreTheSameHoweverTheBytesAreCut() {
        // given an answer and frames of every form of length
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        Random random = new Random(seed);
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        stream.writeBytes("HTTP/1.1 101 Switching\r\nA: b\r\n\r\n".getBytes(UTF_8));
        List<String> sent = new ArrayList<>(List.of("head HTTP/1.1 101 Switching\r\nA: b"));
        for (int size : new int[] {0, 1, 125, 126, 300, 65535, 65536, 70000}) {
            String text = "x".repeat(size);
            frame(stream, 0x81, text.getBytes(UTF_8));
            frame(stream, 0x89, "p".getBytes(UTF_8));
            frame(stream, 0x8a, new byte[0]);
            sent.add("text " + text);
            sent.add("ping p");
        }
        frame(stream, 0x88, new byte[] {0x0f, (byte) 0xa1});
        sent.add("close 4001");
        byte[] bytes = stream.toByteArray();

        for (int round = 0; round < 50; round++) {
            // when
            Notes notes = new Notes();
            FrameReader reader = new FrameReader();
            byte[] partial = null;
            for (int at = 0; at < bytes.length; ) {
                int n = Math.min(bytes.length - at, 1 + random.nextInt(random.nextBoolean() ? 5 : 40_000));
                partial = reader.read(partial, Unpooled.wrappedBuffer(bytes, at, n), notes.inFrames, notes);
                at += n;
            }

            // then
            assertThat(notes.notes).isEqualTo(sent);
            assertThat(partial).isNull();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "01 01 78", // not the last fragment
                "c1 01 78", // a reserved bit
                "82 01 78", // binary
                "80 01 78", // continuation of nothing
                "81 81 00 00 00 00 78", // masked
                "81 7f 00 00 00 00 00 20 00 00", // two MiB
                "81 7f ff ff ff ff ff ff ff ff"
            })
    void whatTheContractForbidsIsBroken(String hex) {
        // given
        byte[] bytes = java.util.HexFormat.of().parseHex(hex.replace(" ", ""));
        Notes notes = new Notes();

        // when
        byte[] partial = new FrameReader().read(null, Unpooled.wrappedBuffer(bytes), true, notes);

        // then
        assertThat(notes.notes).containsExactly("broken");
        assertThat(partial).isNull();
    }

    @Test
    void anEndlessHeadIsBroken() {
        // given
        Notes notes = new Notes();
        FrameReader reader = new FrameReader();
        byte[] partial = null;

        // when
        for (int i = 0; i < 40 && notes.notes.isEmpty(); i++) {
            partial = reader.read(partial, Unpooled.wrappedBuffer(new byte[1000]), false, notes);
        }

        // then
        assertThat(notes.notes).containsExactly("broken");
    }
}

package dev.tidegate.gateway.fanout;

import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.FrameBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The bytes around a frame, at the lengths where RFC 6455 changes their form. */
class WireFormatsTest {
    @ParameterizedTest
    @CsvSource({
        "0, 8100",
        "1, 8101",
        "125, 817d",
        "126, 817e007e",
        "65535, 817effff",
        "65536, 817f0000000000010000",
        "70000, 817f0000000000011170"
    })
    void framesTextOfEveryLength(int length, String head) {
        // given
        FrameBuffer json = new FrameBuffer(16);
        byte[] payload = new byte[length];
        Arrays.fill(payload, (byte) 'x');
        json.raw(payload);
        FrameBuffer out = new FrameBuffer(16).raw('.'); // frames are laid behind each other

        // when
        WireFormats.webSocketText(out, json);

        // then
        byte[] framed = out.toBytes();
        int headBytes = head.length() / 2;
        assertThat(HexFormat.of().formatHex(framed, 1, 1 + headBytes)).isEqualTo(head);
        assertThat(framed).hasSize(1 + headBytes + length);
        assertThat(Arrays.copyOfRange(framed, 1 + headBytes, framed.length)).isEqualTo(payload);
    }

    @Test
    void spellsTheTypeOfAStreamsEventOutsideOfItsData() {
        // given
        FrameBuffer json = new FrameBuffer(16).raw("{}".getBytes(StandardCharsets.UTF_8));
        FrameBuffer out = new FrameBuffer(16);

        // when
        WireFormats.sseBlock(out, null, json);
        WireFormats.sseBlock(out, "kind".getBytes(StandardCharsets.UTF_8), json);

        // then
        assertThat(out.toText()).isEqualTo("data: {}\nevent: kind\ndata: {}\n");
    }
}

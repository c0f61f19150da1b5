package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DurableCursorsTest {
    private static final DurableCursors.CursorKey KEY =
            new DurableCursors.CursorKey("zoë \"z\"", "phone", new ChannelName("orders:eu"));
    private static final Cursor CURSOR = Cursor.parse("k3ZqW1xA.3.5021");

    @Test
    void callsAndAnswersHaveTheirBytesAndSurviveTheWire() {
        // given
        var acks = List.of(
                new DurableCursors.Ack(KEY, CURSOR),
                new DurableCursors.Ack(new DurableCursors.CursorKey("a", "b", new ChannelName("c")), CURSOR.at(-1)));
        var keys = List.of(KEY, acks.get(1).key());
        List<Cursor> found = Arrays.asList(CURSOR, null);
        FrameBuffer out = new FrameBuffer(16);

        // when, then
        DurableCursors.encodeAcks(out, acks);
        assertThat(out.toText())
                .isEqualTo("[{\"subject\":\"zoë \\\"z\\\"\",\"durable\":\"phone\",\"channel\":\"orders:eu\","
                        + "\"cursor\":\"k3ZqW1xA.3.5021\"},"
                        + "{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c\",\"cursor\":\"k3ZqW1xA.3.-1\"}]");
        assertThat(DurableCursors.decodeAcks(out.toBytes())).isEqualTo(acks);
        DurableCursors.encodeKeys(out.clear(), keys);
        assertThat(DurableCursors.decodeKeys(out.toBytes())).isEqualTo(keys);
        DurableCursors.encodeFound(out.clear(), found);
        assertThat(out.toText()).isEqualTo("{\"cursors\":[\"k3ZqW1xA.3.5021\",null]}");
        assertThat(DurableCursors.decodeFound(out.toBytes())).isEqualTo(found);
        DurableCursors.encodeStored(out.clear(), List.of(3, 7));
        assertThat(out.toText()).isEqualTo("{\"refused\":[3,7]}");
        assertThat(DurableCursors.decodeStored(out.toBytes())).containsExactly(3, 7);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "[1]",
                "[{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c\"}]",
                "[{\"subject\":\"\",\"durable\":\"b\",\"channel\":\"c\",\"cursor\":\"k3ZqW1xA.3.1\"}]",
                "[{\"subject\":\"a\\u0000\",\"durable\":\"b\",\"channel\":\"c\",\"cursor\":\"k3ZqW1xA.3.1\"}]",
                "[{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c d\",\"cursor\":\"k3ZqW1xA.3.1\"}]",
                "[{\"subject\":\"a\",\"durable\":\"b\",\"channel\":\"c\",\"cursor\":\"1\"}]"
            })
    void refusesWhatIsNoBatch(String body) {
        assertThatThrownBy(() -> DurableCursors.decodeAcks(utf8(body)))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("expected");
    }

    @Test
    void boundsABatch() {
        // given
        FrameBuffer out = new FrameBuffer(16);
        DurableCursors.encodeKeys(out, Collections.nCopies(DurableCursors.MAX_BATCH + 1, KEY));

        // when, then
        assertThatThrownBy(() -> DurableCursors.decodeKeys(out.toBytes())).hasMessageContaining("too many");
    }
}

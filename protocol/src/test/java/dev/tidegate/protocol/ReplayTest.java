package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ReplayTest {
    @Test
    void requestsSurviveTheWire() {
        // given
        List<Replay.Request> requests = List.of(
                new Replay.Request(new ChannelName("news"), Cursor.parse("k3ZqW1xA.7.5"), -1, "k3ZqW1xA", 7, 90, 10),
                new Replay.Request(new ChannelName("orders:eu"), null, 3, "k3ZqW1xA", 2, -1, 500));
        FrameBuffer out = new FrameBuffer(64);

        // when
        Replay.encodeRequests(out, requests);

        // then
        assertThat(Replay.decodeRequests(out.toBytes())).isEqualTo(requests);
    }

    @Test
    void eventsAndEndsSurviveTheWire() {
        // given
        FanoutRecord record = new FanoutRecord();
        record.wrap("news".getBytes(StandardCharsets.UTF_8), "{\"a\":\n1}".getBytes(StandardCharsets.UTF_8), 17);
        FrameBuffer event = new FrameBuffer(64);
        EventFrames.encode(event, "k3ZqW1xA", 7, 6, 5, record, true);
        Replay.End end = new Replay.End(
                3,
                Cursor.parse("k3ZqW1xA.7.6"),
                true,
                new Gap(Cursor.parse("old.7.1"), Cursor.parse("k3ZqW1xA.7.4"), Gap.Reason.EPOCH),
                Replay.Tier.KAFKA,
                null,
                null);
        FrameBuffer ended = new FrameBuffer(64);
        Replay.encodeEnd(ended, end);

        // when
        Replay.Line first = Replay.decodeLine(event.toBytes());
        Replay.Line second = Replay.decodeLine(ended.toBytes());

        // then
        assertThat(event.toText())
                .isEqualTo("{\"op\":\"event\",\"channel\":\"news\",\"cursor\":\"k3ZqW1xA.7.6\",\"prev\":5,"
                        + "\"id\":\"k3ZqW1xA.7.6\",\"time\":17,\"replay\":true,\"data\":{\"a\": 1}}");
        assertThat(((Replay.Line.Event) first).cursor()).isEqualTo(Cursor.parse("k3ZqW1xA.7.6"));
        assertThat(((Replay.Line.Event) first).prev()).isEqualTo(5);
        assertThat(((Replay.Line.Ended) second).end()).isEqualTo(end);
    }
}

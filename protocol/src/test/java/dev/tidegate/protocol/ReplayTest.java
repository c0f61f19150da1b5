package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplayTest {
    private static final Map<String, Replay.End> ENDS = new LinkedHashMap<>();

    static {
        Cursor reached = Cursor.parse("k3ZqW1xA.7.184500");
        ENDS.put("end", new Replay.End(0, reached, true, null, Replay.Tier.MEMORY, null, null));
        ENDS.put(
                "end-of-page",
                new Replay.End(1, Cursor.parse("k3ZqW1xA.7.184480"), false, null, Replay.Tier.KAFKA, null, null));
        Gap gap = new Gap(Cursor.parse("Zu8-0_pq.7.100"), Cursor.parse("k3ZqW1xA.7.-1"), Gap.Reason.EPOCH);
        ENDS.put("end-gap", new Replay.End(0, reached, true, gap, Replay.Tier.ARCHIVE, null, null));
        ENDS.put(
                "end-error",
                new Replay.End(
                        0,
                        Cursor.parse("k3ZqW1xA.7.184467"),
                        false,
                        null,
                        null,
                        ErrorCode.UNAVAILABLE,
                        "partition 7: the log cannot be read now"));
    }

    @Test
    void requestsAndEndsHaveTheirGoldenBytes() {
        // given
        List<Replay.Request> requests = List.of(
                new Replay.Request(
                        new ChannelName("news"), Cursor.parse("k3ZqW1xA.7.184467"), -1, "k3ZqW1xA", 7, 184500, 500),
                new Replay.Request(new ChannelName("orders:eu"), null, 3, "k3ZqW1xA", 3, -1, 500));
        FrameBuffer out = new FrameBuffer(16);
        Map<String, String> lines = new LinkedHashMap<>();

        // when
        Replay.encodeRequests(out, requests);
        lines.put("requests", out.toText());
        ENDS.forEach((name, end) -> {
            Replay.encodeEnd(out.clear(), end);
            lines.put(name, out.toText());
        });

        // then
        assertThat(lines).containsExactlyEntriesOf(Golden.read("replay-lines.txt"));
        assertThat(Replay.decodeRequests(utf8(lines.get("requests")))).isEqualTo(requests);
        ENDS.forEach((name, end) ->
                assertThat(Replay.decodeLine(utf8(lines.get(name)))).isEqualTo(new Replay.Line.Ended(end)));
    }

    @Test
    void theGapLineOfAStreamIsTheGapFrame() {
        // given
        Gap gap = new Gap(Cursor.parse("k3ZqW1xA.7.100"), Cursor.parse("k3ZqW1xA.7.90000"), Gap.Reason.EXPIRED);
        FrameBuffer out = new FrameBuffer(16);
        ServerFrames.gap(out, "news", gap);

        // when, then
        assertThat(Replay.decodeLine(out.toBytes())).isEqualTo(new Replay.Line.GapLine(gap));
    }

    @Test
    void requestsSurviveTheWire() {
        Property.holds("requests", 10_000, random -> {
            // given
            List<Replay.Request> requests = new ArrayList<>();
            for (int i = random.nextInt(1, 6); i > 0; i--) {
                requests.add(request(random));
            }
            FrameBuffer out = new FrameBuffer(16);

            // when
            Replay.encodeRequests(out, requests);

            // then
            assertThat(Replay.decodeRequests(out.toBytes())).isEqualTo(requests);
        });
    }

    @Test
    void endsSurviveTheWire() {
        Property.holds("ends", 10_000, random -> {
            // given
            Replay.End end = end(random);
            FrameBuffer out = new FrameBuffer(16);

            // when
            Replay.encodeEnd(out, end);

            // then
            assertThat(Replay.decodeLine(out.toBytes())).isEqualTo(new Replay.Line.Ended(end));
        });
    }

    @Test
    void anythingElseIsRefusedAndNamesTheRequest() {
        Property.holdsFor("any body", 1_000, random -> {
            // given
            byte[] b = Documents.damaged(
                    random, utf8(Golden.read("replay-lines.txt").get("requests")), 1 + random.nextInt(3));

            // when, then: decoded, or refused, but nothing else
            try {
                assertThat(Replay.decodeRequests(b)).isNotEmpty();
            } catch (ProtocolException e) {
                assertThat(e.text()).isNotEmpty();
            }
        });
        Property.holdsFor("any line", 1_000, random -> {
            Object[] lines = Golden.read("replay-lines.txt").values().toArray();
            byte[] b = Documents.damaged(
                    random, utf8((String) lines[random.nextInt(lines.length)]), 1 + random.nextInt(3));
            try {
                assertThat(Replay.decodeLine(b)).isNotNull();
            } catch (ProtocolException e) {
                assertThat(e.text()).isNotEmpty();
            }
        });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{}|bad_request|body: not an array (expected: a list of requests)",
                "[]|bad_request|body: no requests (expected: 1 to 1024)",
                "[1]|bad_request|request 0: value: 1 (expected: an object)",
                "[{\"channel\":\"a\",\"upTo\":\"e.0.1\"}]|bad_request|request 0: after, last: (expected: exactly one of them)",
                "[{\"channel\":\"a\",\"upTo\":\"e.0.1\",\"last\":1,\"after\":\"e.0.1\"}]|bad_request|request 0: after, last: (expected: exactly one of them)",
                "[{\"channel\":\"a\",\"last\":1}]|bad_request|request 0: upTo: missing (expected: a string)",
                "[{\"channel\":\"a b\",\"last\":1,\"upTo\":\"e.0.1\"}]|channel_invalid|request 0: channel: character U+0020 at index 1 is not allowed (expected: A-Z a-z 0-9 _ - . : / @ # = ~ + ,)",
                "[{\"channel\":\"a\",\"last\":1,\"upTo\":\"e.0\"}]|cursor_invalid|request 0: cursor: 'e.0' (expected: <epoch>.<partition>.<offset> as received)",
                "[{\"channel\":\"a\",\"last\":1,\"upTo\":\"e.0.1\",\"limit\":0}]|bad_request|request 0: limit: 0 (expected: an integer from 1 to 2147483647)"
            })
    void aBadCallNamesTheField(String body, String code, String message) {
        // when
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> Replay.decodeRequests(utf8(body)));

        // then
        assertThat(e.code().wire()).isEqualTo(code);
        assertThat(e.text()).isEqualTo(message);
    }

    @Test
    void whatANewerServiceAddsDoesNoHarm() {
        // given
        String line =
                "{\"op\":\"end\",\"request\":0,\"cursor\":\"e.0.1\",\"complete\":false,\"gap\":null,\"tier\":\"glacier\",\"error\":\"melted\",\"x\":1}";

        // when
        Replay.End end = ((Replay.Line.Ended) Replay.decodeLine(utf8(line))).end();

        // then
        assertThat(end.tier()).isNull();
        assertThat(end.error()).isEqualTo(ErrorCode.INTERNAL);
    }

    private static Replay.End end(Random random) {
        Gap.Reason[] reasons = Gap.Reason.values();
        Replay.Tier[] tiers = Replay.Tier.values();
        ErrorCode[] codes = {ErrorCode.UNAVAILABLE, ErrorCode.CURSOR_INVALID, ErrorCode.INTERNAL};
        ErrorCode error = random.nextBoolean() ? null : codes[random.nextInt(codes.length)];
        return new Replay.End(
                random.nextInt(Replay.MAX_REQUESTS),
                cursor(random),
                random.nextBoolean(),
                random.nextBoolean()
                        ? null
                        : new Gap(cursor(random), cursor(random), reasons[random.nextInt(reasons.length)]),
                random.nextBoolean() ? null : tiers[random.nextInt(tiers.length)],
                error,
                error == null || random.nextBoolean() ? null : "\"why\" – \n" + random.nextInt());
    }

    private static Cursor cursor(Random random) {
        return new Cursor(Epoch.of(1, random.nextInt()), random.nextInt(16), random.nextLong(-1, 1L << 40));
    }

    private static Replay.Request request(Random random) {
        boolean after = random.nextBoolean();
        return new Replay.Request(
                new ChannelName("orders:" + random.nextInt(100)),
                after ? cursor(random) : null,
                after ? -1 : random.nextInt(1_000),
                Epoch.of(2, random.nextInt()),
                random.nextInt(16),
                random.nextLong(-1, 1L << 40),
                random.nextInt(1, Integer.MAX_VALUE));
    }
}

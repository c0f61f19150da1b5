package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.ClientFrameDecoder.Decoded;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class ClientFrameDecoderTest {
    private static final ChannelName NEWS = new ChannelName("news");
    private static final Cursor CURSOR = Cursor.parse("k3ZqW1xA.7.184467");

    @Test
    void everyFrameIsRead() {
        // given
        Map<String, ClientFrame> expected = new LinkedHashMap<>();
        expected.put("connect", new ClientFrame.Connect("1", "eyJhbGciOiJIUzI1NiJ9.e30.x"));
        expected.put("subscribe", new ClientFrame.Subscribe("2", NEWS, null, -1, null));
        expected.put("subscribe-after", new ClientFrame.Subscribe("2", NEWS, CURSOR, -1, null));
        expected.put("subscribe-last", new ClientFrame.Subscribe("\"s\"", NEWS, null, 20, null));
        expected.put("subscribe-durable", new ClientFrame.Subscribe(null, NEWS, null, -1, "phone"));
        expected.put("subscribe-nulls", new ClientFrame.Subscribe(null, NEWS, null, -1, null));
        expected.put("unsubscribe", new ClientFrame.Unsubscribe("3", NEWS));
        expected.put("ack", new ClientFrame.Ack(null, NEWS, CURSOR, "phone"));
        expected.put("presence", new ClientFrame.Presence("5", NEWS));
        expected.put("ping", new ClientFrame.Ping(null));
        expected.put("ping-unknown-members", new ClientFrame.Ping("\"p\\u00e9ng\""));
        Map<String, String> golden = Golden.read("client-frames.txt");

        // when
        Map<String, ClientFrame> read = new LinkedHashMap<>();
        golden.forEach((name, text) -> read.put(name, frame(text)));

        // then: publish holds an array, which records do not compare
        ClientFrame.Publish publish = (ClientFrame.Publish) read.remove("publish");
        assertThat(read).containsExactlyEntriesOf(expected);
        assertThat(publish.id()).isEqualTo("4");
        assertThat(publish.channel()).isEqualTo(NEWS);
        assertThat(Documents.text(publish.data()))
                .as("as it stands")
                .isEqualTo("{\"title\" : \"High tide\", \"n\":1.0}");
        assertThat(publish.event()).isEqualTo("n-17");
        assertThat(publish.type()).isEqualTo("article");
    }

    static Stream<Arguments> invalid() {
        return Stream.of(
                bad("", null, "bad_request", "not JSON at byte 0 (expected: one JSON document in UTF-8)"),
                bad("hello", null, "bad_request", "not JSON at byte 0 (expected: one JSON document in UTF-8)"),
                bad("[]", null, "bad_request", "frame: not an object (expected: {\"op\":…})"),
                bad("12", null, "bad_request", "frame: not an object (expected: {\"op\":…})"),
                bad("{}", null, "bad_request", "op: missing (expected: a string)"),
                bad("{\"op\":7,\"id\":9}", "9", "bad_request", "op: 7 (expected: a string)"),
                bad(
                        "{\"op\":\"fly\",\"id\":\"a\"}",
                        "\"a\"",
                        "bad_request",
                        "op: 'fly' (expected: connect, subscribe, unsubscribe, publish, ack, presence or ping)"),
                bad(
                        "{\"op\":\"ping\",\"id\":{}}",
                        null,
                        "bad_request",
                        "id: {} (expected: a string or number of at most 128 characters)"),
                bad(
                        "{\"op\":\"ping\",\"id\":true}",
                        null,
                        "bad_request",
                        "id: true (expected: a string or number of at most 128 characters)"),
                bad("{\"op\":\"subscribe\",\"id\":1}", "1", "bad_request", "channel: missing (expected: a string)"),
                bad(
                        "{\"op\":\"subscribe\",\"id\":1,\"channel\":\"a b\"}",
                        "1",
                        "channel_invalid",
                        "channel: character U+0020 at index 1 is not allowed (expected: A-Z a-z 0-9 _ - . : / @ # = ~ + ,)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"after\":\"x\"}",
                        null,
                        "cursor_invalid",
                        "cursor: 'x' (expected: <epoch>.<partition>.<offset> as received)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"after\":7}",
                        null,
                        "bad_request",
                        "after: 7 (expected: a string)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"after\":\"a.1.2\",\"last\":1}",
                        null,
                        "bad_request",
                        "after, last: both given (expected: at most one of them)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"last\":-1}",
                        null,
                        "bad_request",
                        "last: -1 (expected: an integer from 0 to 2147483647)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"last\":1.5}",
                        null,
                        "bad_request",
                        "last: 1.5 (expected: an integer from 0 to 2147483647)"),
                bad(
                        "{\"op\":\"subscribe\",\"channel\":\"news\",\"last\":99999999999999999999}",
                        null,
                        "bad_request",
                        "last: 99999999999999999999 (expected: an integer from 0 to 2147483647)"),
                bad(
                        "{\"op\":\"publish\",\"channel\":\"news\"}",
                        null,
                        "bad_request",
                        "data: missing (expected: a JSON value)"),
                bad(
                        "{\"op\":\"publish\",\"channel\":\"news\",\"data\":1,\"event\":\"\"}",
                        null,
                        "bad_request",
                        "event: 0 bytes (expected: 1 to 255 bytes of UTF-8 without control characters)"),
                bad(
                        "{\"op\":\"publish\",\"channel\":\"news\",\"data\":1,\"event\":\"a\\nb\"}",
                        null,
                        "bad_request",
                        "event: a character that is not allowed (expected: 1 to 255 bytes of UTF-8 without control characters)"),
                bad(
                        "{\"op\":\"publish\",\"channel\":\"news\",\"data\":1,\"type\":\"\\ud83d\"}",
                        null,
                        "bad_request",
                        "type: a character that is not allowed (expected: 1 to 255 bytes of UTF-8 without control characters)"),
                bad(
                        "{\"op\":\"ack\",\"channel\":\"news\",\"durable\":\"x\"}",
                        null,
                        "bad_request",
                        "cursor: missing (expected: a string)"),
                bad(
                        "{\"op\":\"ack\",\"channel\":\"news\",\"cursor\":\"a.1.1\"}",
                        null,
                        "bad_request",
                        "durable: missing (expected: a string)"),
                bad("{\"op\":\"connect\"}", null, "bad_request", "token: missing (expected: a string)"));
    }

    private static Arguments bad(String text, String id, String code, String message) {
        return Arguments.of(text, id, code, message);
    }

    @ParameterizedTest
    @MethodSource("invalid")
    void whatIsWrongIsNamedTogetherWithTheIdToAnswer(String text, String id, String code, String message) {
        // when
        Decoded.Invalid invalid = (Decoded.Invalid) decode(utf8(text));

        // then
        assertThat(invalid.id()).isEqualTo(id);
        assertThat(invalid.cause().code().wire()).isEqualTo(code);
        assertThat(invalid.cause().text()).isEqualTo(message);
    }

    @Test
    void whatIsEchoedOrKeptIsBounded() {
        // given
        String id = "\"" + "i".repeat(ClientFrameDecoder.MAX_ID_LENGTH - 2) + "\"";
        String token = "t".repeat(ClientFrameDecoder.MAX_TOKEN_LENGTH);

        // when, then
        assertThat(frame("{\"op\":\"ping\",\"id\":" + id + "}")).isEqualTo(new ClientFrame.Ping(id));
        assertThat(frame("{\"op\":\"connect\",\"token\":\"" + token + "\"}"))
                .isEqualTo(new ClientFrame.Connect(null, token));
        assertThat(decode(utf8("{\"op\":\"ping\",\"id\":" + id.replace("i", "ii") + "}")))
                .isInstanceOf(Decoded.Invalid.class);
        assertThat(decode(utf8("{\"op\":\"connect\",\"token\":\"" + token + "t\"}")))
                .isInstanceOf(Decoded.Invalid.class);
    }

    @Test
    void anInvalidChannelIsToldBackButBounded() {
        // given
        String text = "{\"op\":\"subscribe\",\"channel\":\"" + "é".repeat(1_000) + "\"}";

        // when
        Decoded.Invalid invalid = (Decoded.Invalid) decode(utf8(text));

        // then
        assertThat(invalid.channel()).isEqualTo("é".repeat(255));
    }

    @Test
    void namesAreMeasuredAsTheRecordMeasuresThem() {
        Property.holds("names = record's names", 20_000, random -> {
            // given
            String name = (random.nextBoolean() ? "é" : "a").repeat(random.nextInt(1, 300))
                    + (random.nextInt(4) == 0 ? "\u007f" : "");
            String text = "{\"op\":\"publish\",\"channel\":\"news\",\"data\":1,\"event\":\"" + name + "\"}";

            // when
            boolean accepted = decode(utf8(text)) instanceof Decoded.Frame;

            // then
            assertThat(accepted).isEqualTo(FanoutRecord.isName(utf8(name)));
        });
    }

    @Test
    void noBytesMakeItThrowAndWhatItReadsIsWhatJacksonReads() {
        Object[] golden = Golden.read("client-frames.txt").values().toArray();
        int[] seen = new int[2];
        Property.holdsFor("any bytes", 2_500, random -> {
            // given
            byte[] b = Documents.damaged(
                    random, utf8((String) golden[random.nextInt(golden.length)]), random.nextInt(1, 5));
            b = random.nextInt(10) == 0 ? Documents.damagedDocument(random) : b;

            // when
            Decoded decoded = decode(b);

            // then
            switch (decoded) {
                case Decoded.Frame frame -> {
                    seen[0]++;
                    agrees(frame.frame(), b);
                }
                case Decoded.Invalid invalid -> {
                    seen[1]++;
                    assertThat(invalid.cause().text()).isNotEmpty();
                    FrameBuffer answer = new FrameBuffer(64);
                    ServerFrames.error(
                            answer,
                            invalid.id(),
                            invalid.cause().code(),
                            invalid.cause().text(),
                            invalid.channel());
                    assertThat(Documents.isJson(answer.toBytes()))
                            .as("%s", answer.toText())
                            .isTrue();
                    assertThat(answer.size()).as("an answer is small").isLessThan(4_096);
                }
            }
        });
        assertThat(seen).as("both kinds were tried").doesNotContain(0);
    }

    private static void agrees(ClientFrame frame, byte[] b) {
        assertThat(Documents.isJson(b)).isTrue();
        var tree = Documents.tree(b);
        assertThat(tree.get("op").asString())
                .isEqualToIgnoringCase(frame.getClass().getSimpleName());
        if (frame instanceof ClientFrame.Publish p) {
            assertThat(Documents.tree(p.data())).isEqualTo(tree.get("data"));
            assertThat(p.event()).isEqualTo(tree.path("event").asString(null));
        }
        if (frame instanceof ClientFrame.Subscribe s) {
            assertThat(s.channel().value()).isEqualTo(tree.get("channel").asString());
            assertThat(s.last()).isEqualTo(tree.path("last").asInt(-1));
        }
    }

    @Test
    void itReadsItsRangeAlone() {
        Property.holds("range", 5_000, random -> {
            // given
            byte[] inner = utf8("{\"op\":\"ping\",\"id\":" + random.nextInt(1_000) + "}");
            byte[] outer = noise(random, inner.length + 20);
            System.arraycopy(inner, 0, outer, 7, inner.length);

            // when, then
            assertThat(ClientFrameDecoder.decode(outer, 7, 7 + inner.length)).isEqualTo(decode(inner));
        });
    }

    private static byte[] noise(Random random, int length) {
        byte[] b = new byte[length];
        random.nextBytes(b);
        return b;
    }

    private static ClientFrame frame(String text) {
        return ((Decoded.Frame) decode(utf8(text))).frame();
    }

    private static Decoded decode(byte[] b) {
        return ClientFrameDecoder.decode(b, 0, b.length);
    }
}

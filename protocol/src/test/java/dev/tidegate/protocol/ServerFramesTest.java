package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.tidegate.protocol.ServerFrames.PublishStatus;
import dev.tidegate.protocol.ServerFrames.Recovery;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class ServerFramesTest {
    private static final String EPOCH = "k3ZqW1xA";
    private static final long TIME = 1795501159123L;
    private static final byte[] EVENT_ID = utf8("0b5f0d7e-7a1b-4a6e-9a39-6a1fd1f0c8c1");

    private final FrameBuffer out = new FrameBuffer(16);
    private final Map<String, String> frames = new LinkedHashMap<>();

    /** The whole table at once, so that a frame without golden bytes and golden bytes without a frame both show. */
    @Test
    void everyFrameHasItsGoldenBytes() {
        // when
        connections();
        subscriptions();
        events();
        answers();

        // then
        assertThat(frames).containsExactlyEntriesOf(Golden.read("server-frames.txt"));
        assertThat(frames.values()).allSatisfy(frame -> {
            assertThat(Documents.isJson(utf8(frame))).isTrue();
            assertThat(frame).doesNotContain("\n", "\r");
        });
    }

    private void connections() {
        frame("connected", b -> ServerFrames.connected(b, null, "c1f0c8a2", null, 25_000));
        frame("connected-as-subject", b -> ServerFrames.connected(b, "1", "c1f0c8a2", "ada@example.org", 25_000));
    }

    private void subscriptions() {
        Cursor orders = cursor("3.5021");
        frame("subscribed", b -> ServerFrames.subscribed(b, "\"s1\"", "news", cursor("7.184467"), Recovery.NONE, -1));
        frame("subscribed-complete", b -> ServerFrames.subscribed(b, "2", "orders:eu", orders, Recovery.COMPLETE, 12));
        frame("subscribed-gap", b -> ServerFrames.subscribed(b, null, "orders:eu", orders, Recovery.GAP, -1));
        frame(
                "subscribed-pending",
                b -> ServerFrames.subscribed(b, "2", "orders:eu", cursor("3.4980"), Recovery.PENDING, -1));
        frame(
                "subscribed-empty-partition",
                b -> ServerFrames.subscribed(b, null, "news", cursor("7.-1"), Recovery.NONE, -1));
        frame("unsubscribed", b -> ServerFrames.unsubscribed(b, "3", "news", null));
        frame("unsubscribed-by-server", b -> ServerFrames.unsubscribed(b, null, "user:ada", "token expired"));
    }

    private void events() {
        FanoutRecord article = record("{\"title\":\"High tide at noon\"}", EVENT_ID, null);
        article.header(FanoutRecord.HEADER_TYPE, utf8("article"));
        frame("event", b -> EventFrames.encode(b, EPOCH, 7, 184470, 184467, article, false));
        frame("event-replayed", b -> EventFrames.encode(b, EPOCH, 7, 184470, 184467, article, true));
        frame("event-derived-id", b -> EventFrames.encode(b, EPOCH, 7, 0, -1, record("null", null, null), false));
        FanoutRecord text =
                record("one \"line\",\nthen another – é 猫\u0001", utf8("n-17"), "text/plain; charset=utf-8");
        frame("event-text", b -> EventFrames.encode(b, EPOCH, 7, 184471, 184470, text, false));
        FanoutRecord png = new FanoutRecord();
        png.wrap(utf8("news"), new byte[] {(byte) 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}, TIME);
        png.header(FanoutRecord.HEADER_ID, utf8("n-18"));
        png.header(FanoutRecord.HEADER_CONTENT_TYPE, utf8("image/png"));
        frame("event-binary", b -> EventFrames.encode(b, EPOCH, 7, 184472, 184471, png, false));
        FanoutRecord hedged = record("[1,\n2]", utf8("n-19"), null);
        frame("event-provisional", b -> EventFrames.encode(b, EPOCH, 7, EventFrames.NO_OFFSET, 0, hedged, false));
    }

    private void answers() {
        Map<String, Cursor> positions = new LinkedHashMap<>();
        positions.put("news", cursor("7.184500"));
        frame("position", b -> ServerFrames.position(b, positions));
        frame("position-of-many", b -> {
            positions.put("orders:eu", cursor("3.5100"));
            ServerFrames.position(b, positions);
        });
        gap("gap-expired", cursor("7.100"), cursor("7.90000"), Gap.Reason.EXPIRED);
        gap("gap-epoch", Cursor.parse("Zu8-0_pq.7.184467"), cursor("7.-1"), Gap.Reason.EPOCH);
        gap("gap-overflow", cursor("7.184472"), cursor("7.190000"), Gap.Reason.OVERFLOW);
        String event = Documents.text(EVENT_ID);
        frame(
                "published-stored",
                b -> ServerFrames.published(b, "4", event, PublishStatus.STORED, "k3ZqW1xA.7.184470"));
        frame("published-spooled", b -> ServerFrames.published(b, "4", event, PublishStatus.SPOOLED, null));
        frame("published-sent", b -> ServerFrames.published(b, "4", event, PublishStatus.SENT, null));
        frame("presence", b -> {
            ServerFrames.presenceHead(b, "5", "news", 2);
            ServerFrames.presenceMember(b, 0, PresenceMember.subject("ada@example.org"), 3);
            ServerFrames.presenceMember(b, 1, PresenceMember.connection("c1f0c8a2"), 1);
            ServerFrames.presenceEnd(b);
        });
        frame("join", b -> ServerFrames.moved(b, true, "news", PresenceMember.subject("ada@example.org")));
        frame("leave", b -> ServerFrames.moved(b, false, "news", PresenceMember.connection("c1f0c8a2")));
        frame("pong", b -> ServerFrames.pong(b, null));
        frame("pong-with-id", b -> ServerFrames.pong(b, "\"p\\u00e9ng \\\"1\\\"\""));
        frame("reconnect", b -> ServerFrames.reconnect(b, 1_500, "drain"));
        frame(
                "error",
                b -> ServerFrames.error(
                        b,
                        "2",
                        ErrorCode.UNKNOWN_NAMESPACE,
                        "channel: namespace 'weather' is not declared (expected: one of [chat, default])",
                        "weather:hull"));
        frame(
                "error-without-id",
                b -> ServerFrames.error(
                        b,
                        null,
                        ErrorCode.BAD_REQUEST,
                        "not JSON at byte 0 (expected: one JSON document in UTF-8)",
                        null));
    }

    private void gap(String name, Cursor after, Cursor cursor, Gap.Reason reason) {
        frame(name, b -> ServerFrames.gap(b, "news", new Gap(after, cursor, reason)));
    }

    private void frame(String name, Consumer<FrameBuffer> encode) {
        encode.accept(out.clear());
        frames.put(name, out.toText());
    }

    private static Cursor cursor(String partitionAndOffset) {
        return Cursor.parse(EPOCH + "." + partitionAndOffset);
    }

    private static FanoutRecord record(String payload, byte[] id, String contentType) {
        FanoutRecord r = new FanoutRecord().wrap(utf8("news"), utf8(payload), TIME);
        if (id != null) {
            r.header(FanoutRecord.HEADER_ID, id);
        }
        if (contentType != null) {
            r.header(FanoutRecord.HEADER_CONTENT_TYPE, utf8(contentType));
        }
        return r;
    }
}

package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Random;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

class EventFramesTest {
    private static final int MAX_PAYLOAD = 65_536;

    private final FrameBuffer out = new FrameBuffer(16);

    @Test
    void whateverPassedTheCheckIsOneLineOfJsonThatSaysWhatTheRecordSaid() {
        EnumSet<FanoutRecord.PayloadKind> seen = EnumSet.noneOf(FanoutRecord.PayloadKind.class);
        Property.holdsFor("event frame = one line of JSON", 2_000, random -> {
            // given
            FanoutRecord record = FanoutRecordTest.anyRecord(random);
            if (record.check(MAX_PAYLOAD) != null) {
                return;
            }
            seen.add(record.payloadKind());
            long offset = random.nextLong() >>> 1 >>> random.nextInt(63);
            long prev = offset == 0 ? -1 : random.nextLong(-1, offset);
            boolean replay = random.nextBoolean();

            // when
            EventFrames.encode(out.clear(), "k3ZqW1xA", 7, offset, prev, record, replay);
            byte[] frame = out.toBytes();

            // then
            assertThat(Documents.isJson(frame)).as("%s", Documents.text(frame)).isTrue();
            assertThat(Documents.text(frame)).doesNotContain("\n", "\r");
            JsonNode tree = Documents.tree(frame);
            assertThat(tree.get("op").asString()).isEqualTo("event");
            assertThat(tree.get("channel").asString()).isEqualTo(Documents.text(record.channel()));
            assertThat(tree.get("cursor").asString()).isEqualTo("k3ZqW1xA.7." + offset);
            assertThat(tree.get("prev").asLong()).isEqualTo(prev);
            byte[] id = record.id();
            assertThat(tree.get("id").asString()).isEqualTo(id == null ? "k3ZqW1xA.7." + offset : Documents.text(id));
            byte[] type = record.type();
            assertThat(tree.path("type").asString(null)).isEqualTo(type == null ? null : Documents.text(type));
            assertThat(tree.get("time").asLong()).isEqualTo(record.timeMillis());
            assertThat(tree.has("replay")).isEqualTo(replay);
            assertThat(tree.propertyNames().stream().reduce((a, b) -> b))
                    .hasValueSatisfying(last -> assertThat(last).startsWith("data"));
            payload(tree, record);
            assertThat(Replay.decodeLine(frame))
                    .isEqualTo(new Replay.Line.Event(Cursor.parse("k3ZqW1xA.7." + offset), prev, frame));
        });
        assertThat(seen).as("every kind of payload was tried").hasSize(3);
    }

    private static void payload(JsonNode tree, FanoutRecord record) {
        switch (record.payloadKind()) {
            case JSON -> {
                assertThat(tree.get("data")).isEqualTo(Documents.tree(record.payload()));
                assertThat(tree.has("contentType")).isFalse();
            }
            case TEXT -> assertThat(tree.get("data").asString()).isEqualTo(Documents.text(record.payload()));
            case BINARY ->
                assertThat(Base64.getDecoder().decode(tree.get("data64").asString()))
                        .isEqualTo(record.payload());
        }
        if (record.payloadKind() != FanoutRecord.PayloadKind.JSON) {
            assertThat(tree.get("contentType").asString()).isEqualTo(Documents.text(record.contentType()));
        }
    }

    /** The quick reading of an event's head must never see another event than a parser does. */
    @Test
    void aDamagedEventLineIsReadAsAParserReadsItOrRefused() {
        Property.holdsFor("head = whole", 1_000, random -> {
            // given
            byte[] line = Documents.damaged(random, eventLine(random), 1 + random.nextInt(2));
            if (!Documents.isJson(line) || Documents.repeatsMember(line)) {
                return; // not what a replay service sends; what is cut off shows by NDJSON's missing line break
            }

            // when
            Replay.Line read;
            try {
                read = Replay.decodeLine(line);
            } catch (ProtocolException e) {
                return;
            }

            // then
            if (read instanceof Replay.Line.Event event) {
                JsonNode tree = Documents.tree(line);
                assertThat(event.cursor().toString())
                        .as("%s", Documents.text(line))
                        .isEqualTo(tree.get("cursor").asString());
                assertThat(event.prev()).isEqualTo(tree.get("prev").asLong());
                assertThat(event.frame()).isSameAs(line);
            }
        });
    }

    @Test
    void anEventLineOfAnotherSpellingIsReadToo() {
        // given
        byte[] line = utf8("{ \"prev\":4, \"cursor\" : \"k3ZqW1xA.7.6\", \"data\":1, \"op\":\"event\", \"more\":{} }");

        // when, then
        assertThat(Replay.decodeLine(line)).isEqualTo(new Replay.Line.Event(Cursor.parse("k3ZqW1xA.7.6"), 4, line));
    }

    @Test
    void theTypeOfAFrameCanBeReadBack() {
        Property.holds("type", 5_000, random -> {
            // given
            FanoutRecord record = FanoutRecordTest.anyRecord(random);
            if (record.check(MAX_PAYLOAD) == null) {
                EventFrames.encode(out.clear(), "e", 0, 9, 8, record, random.nextBoolean());

                // when, then
                assertThat(EventFrames.typeOf(out.toBytes())).isEqualTo(record.type());
            }
        });
    }

    @Test
    void aProvisionalEventNeedsAnId() {
        // given
        FanoutRecord record = new FanoutRecord().wrap(utf8("news"), utf8("1"), 0);

        // when, then
        assertThatThrownBy(() -> EventFrames.encode(out, "e", 0, EventFrames.NO_OFFSET, 0, record, false))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(out.size()).as("nothing half-written").isZero();
    }

    private byte[] eventLine(Random random) {
        FanoutRecord record = new FanoutRecord().wrap(utf8("news"), utf8(Documents.document(random)), 17);
        record.header(FanoutRecord.HEADER_ID, utf8("i,\"cursor\":\"k3ZqW1xA.7.1\",\"prev\":3"));
        EventFrames.encode(out.clear(), "k3ZqW1xA", 7, random.nextInt(100), random.nextInt(100), record, true);
        return Arrays.copyOf(out.array(), out.size());
    }
}

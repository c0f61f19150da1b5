package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.protocol.FanoutRecord.PayloadKind;
import dev.tidegate.protocol.FanoutRecord.Undeliverable;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class FanoutRecordTest {
    private static final String[] HEADERS = {
        FanoutRecord.HEADER_ID,
        FanoutRecord.HEADER_TYPE,
        FanoutRecord.HEADER_TIME,
        FanoutRecord.HEADER_CONTENT_TYPE,
        FanoutRecord.HEADER_SOURCE,
        FanoutRecord.HEADER_TRACEPARENT,
        "",
        "CE_ID",
        "x-mine"
    };

    private static final String[] VALUES = {
        "",
        "0b5f0d7e",
        "article",
        "2026-11-24T06:19:19.123Z",
        "2026-11-24T06:19:19+01:00",
        "yesterday",
        "application/json",
        "text/plain",
        "text/plain; charset=utf-8",
        "image/png",
        "application/vnd.x+json; charset=utf-8",
        "é 猫 \"quoted\" \\",
        "line\nbreak",
        "x\u0000"
    };

    private final FanoutRecord record = new FanoutRecord();

    /** Any record a producer might write, broken or not. */
    static FanoutRecord anyRecord(Random random) {
        FanoutRecord r = new FanoutRecord();
        byte[] key = random.nextInt(10) == 0 ? Documents.damaged(random, utf8("orders:eu"), 1) : utf8("orders:eu");
        boolean json = random.nextInt(4) > 0;
        byte[] value = json ? utf8(Documents.document(random)) : Documents.damagedDocument(random);
        r.wrap(
                random.nextInt(50) == 0 ? null : key,
                random.nextInt(50) == 0 ? null : value,
                random.nextLong() >> random.nextInt(64));
        for (int i = random.nextInt(6); i > 0; i--) {
            byte[] v = utf8(VALUES[random.nextInt(VALUES.length)]);
            v = random.nextInt(4) == 0 ? Documents.damaged(random, v, 2) : v;
            r.header(HEADERS[random.nextInt(HEADERS.length)], random.nextInt(20) == 0 ? null : v);
        }
        return r;
    }

    @Test
    void itIsReadAsCloudEventsInBinaryMode() {
        // when
        record.wrap(utf8("orders:eu"), utf8("{\"total\":12}"), 1_000);
        record.header("ce_specversion", utf8("1.0"));
        record.header("ce_id", utf8("o-1"));
        record.header("ce_type", utf8("order.placed"));
        record.header("ce_source", utf8("/shop"));
        record.header("ce_time", utf8("2026-11-24T06:19:19.123Z"));
        record.header("content-type", utf8("application/json; charset=utf-8"));
        record.header("traceparent", utf8("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));

        // then
        assertThat(record.check(100)).isNull();
        assertThat(record.channel()).isEqualTo(utf8("orders:eu"));
        assertThat(record.payload()).isEqualTo(utf8("{\"total\":12}"));
        assertThat(record.id()).isEqualTo(utf8("o-1"));
        assertThat(record.type()).isEqualTo(utf8("order.placed"));
        assertThat(record.timeMillis()).isEqualTo(1_795_501_159_123L);
        assertThat(record.payloadKind()).isEqualTo(PayloadKind.JSON);
        assertThat(record.ignoredHeaders()).isZero();
    }

    @Test
    void withoutHeadersItIsJsonAtItsTimeStamp() {
        // when
        record.wrap(utf8("news"), utf8("\"hi\""), 17);

        // then
        assertThat(record.check(100)).isNull();
        assertThat(record.id()).isNull();
        assertThat(record.type()).isNull();
        assertThat(record.contentType()).isNull();
        assertThat(record.timeMillis()).isEqualTo(17);
        assertThat(record.payloadKind()).isEqualTo(PayloadKind.JSON);
    }

    @ParameterizedTest
    @EnumSource
    void whatCannotBeDeliveredSaysWhy(Undeliverable why) {
        // given
        switch (why) {
            case NO_KEY -> record.wrap(null, utf8("1"), 0);
            case CHANNEL_INVALID -> record.wrap(utf8("a b"), utf8("1"), 0);
            case NO_PAYLOAD -> record.wrap(utf8("news"), null, 0);
            case PAYLOAD_TOO_LARGE -> record.wrap(utf8("news"), utf8("\"" + "a".repeat(99) + "\""), 0);
            case PAYLOAD_NOT_JSON -> record.wrap(utf8("news"), utf8("{"), 0);
            case PAYLOAD_NOT_UTF8 ->
                record.wrap(utf8("news"), new byte[] {(byte) 0xff}, 0)
                        .header(FanoutRecord.HEADER_CONTENT_TYPE, utf8("text/plain"));
        }

        // when, then
        assertThat(record.check(100)).isEqualTo(why);
    }

    @Test
    void anEmptyKeyIsNoKeyAndTheLargestPayloadIsDelivered() {
        assertThat(record.wrap(new byte[0], utf8("1"), 0).check(100)).isEqualTo(Undeliverable.NO_KEY);
        assertThat(record.wrap(utf8("news"), utf8("\"" + "a".repeat(98) + "\""), 0)
                        .check(100))
                .isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "application/json|JSON",
                "APPLICATION/JSON|JSON",
                "application/json;charset=utf-8|JSON",
                "application/json ; x=y|JSON",
                "application/vnd.orders+json|JSON",
                "application/cloudevents+JSON; a=b|JSON",
                "application/jsonx|BINARY",
                "+json|BINARY",
                "text/plain|TEXT",
                "TEXT/html; charset=UTF-8|TEXT",
                "text/csv; charset=\"utf-8\"|TEXT",
                "text/csv; charset=utf8|TEXT",
                "text/plain; charset=us-ascii|TEXT",
                "text/plain; charset=iso-8859-1|BINARY",
                "text/plain; charset=utf-16|BINARY",
                "text/plain; charset=utf-8x|BINARY",
                "text/plain; charset=|TEXT",
                "image/png|BINARY",
                "text|BINARY",
                "x|BINARY"
            })
    void theContentTypeDecidesHowThePayloadStandsInAFrame(String contentType, PayloadKind kind) {
        assertThat(FanoutRecord.payloadKind(utf8(contentType))).isEqualTo(kind);
    }

    @Test
    void aBrokenHeaderIsAbsentAndTheEventIsDelivered() {
        // given
        byte[][] broken = {
            null,
            new byte[0],
            utf8("a\nb"),
            utf8("\u007f"),
            new byte[] {(byte) 0xff},
            utf8("x".repeat(256)),
            utf8("é".repeat(128))
        };
        for (byte[] value : broken) {
            // when
            record.wrap(utf8("news"), utf8("1"), 17);
            record.header("ce_id", value);
            record.header("ce_type", value);
            record.header("ce_time", value);
            record.header("content-type", value);

            // then
            assertThat(record.check(100)).isNull();
            assertThat(record.ignoredHeaders()).isEqualTo(4);
            assertThat(record.id()).isNull();
            assertThat(record.type()).isNull();
            assertThat(record.timeMillis()).isEqualTo(17);
            assertThat(record.contentType()).isNull();
        }
    }

    @Test
    void aNameThatARecordCannotHoldIsRefused() {
        String expected = " (expected: 1 to 255 bytes of UTF-8 without control characters)";
        assertThatThrownBy(() -> FanoutRecord.checkName("id", "")).hasMessage("id: 0 bytes" + expected);
        for (String bad : new String[] {"a\nb", "\u007f", "half a surrogate pair \ud83d"}) {
            assertThatThrownBy(() -> FanoutRecord.checkName("id", bad))
                    .hasMessage("id: a character that is not allowed" + expected);
        }
    }

    @Test
    void aNameIsBoundedInBytes() {
        assertThat(FanoutRecord.checkName("id", "é".repeat(127) + "a")).hasSize(128);
        assertThatThrownBy(() -> FanoutRecord.checkName("id", "é".repeat(128)))
                .hasMessageStartingWith("id: 256 bytes ");
    }

    @Test
    void ofTwoHeadersWithOneNameTheLastGoodOneCounts() {
        // when
        record.wrap(utf8("news"), utf8("1"), 17);
        record.header("ce_id", utf8("first"));
        record.header("ce_id", utf8("second"));
        record.header("ce_id", utf8("bro\nken"));

        // then
        assertThat(record.id()).isEqualTo(utf8("second"));
        assertThat(record.ignoredHeaders()).isEqualTo(1);
    }

    @Test
    void nothingOfARecordIsLeftForTheNext() {
        // given
        record.wrap(utf8("a"), utf8("x"), 1);
        record.header("ce_id", utf8("i"));
        record.header("ce_type", utf8("t"));
        record.header("content-type", utf8("text/plain"));
        record.header("ce_time", utf8("broken"));

        // when
        record.wrap(utf8("b"), utf8("2"), 2);

        // then
        assertThat(record.id()).isNull();
        assertThat(record.type()).isNull();
        assertThat(record.contentType()).isNull();
        assertThat(record.payloadKind()).isEqualTo(PayloadKind.JSON);
        assertThat(record.timeMillis()).isEqualTo(2);
        assertThat(record.ignoredHeaders()).isZero();
    }

    @Test
    void noRecordMakesItThrow() {
        int[] seen = new int[2];
        Property.holdsFor("any record", 1_000, random -> {
            // when
            FanoutRecord any = anyRecord(random);
            boolean deliverable = any.check(random.nextInt(500)) == null;

            // then
            seen[deliverable ? 1 : 0]++;
            assertThat(any.channel()).isNotNull();
            assertThat(any.payload()).isNotNull();
            if (deliverable) {
                assertThat(ChannelName.isValid(any.channel())).isTrue();
                assertThat(any.payloadKind() != PayloadKind.JSON || Documents.isJson(any.payload()))
                        .isTrue();
                assertThat(any.payloadKind() != PayloadKind.TEXT || Documents.strictText(any.payload()) != null)
                        .isTrue();
            }
        });
        assertThat(seen).as("both kinds were tried").doesNotContain(0);
    }
}

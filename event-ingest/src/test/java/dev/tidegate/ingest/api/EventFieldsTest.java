package dev.tidegate.ingest.api;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.springframework.http.HttpHeaders;

class EventFieldsTest {
    private static HttpHeaders headers(String name, String... values) {
        HttpHeaders headers = new HttpHeaders();
        for (String value : values) {
            headers.add(name, value);
        }
        return headers;
    }

    private static void assertRefused(ErrorCode code, String message, ThrowingCallable call) {
        assertThatThrownBy(call)
                .hasMessageContaining(message)
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(code));
    }

    @Test
    void plainJsonIsStoredWithoutContentType() {
        assertThat(EventFields.contentType(null)).isNull();
        assertThat(EventFields.contentType("application/json")).isNull();
        assertThat(EventFields.contentType("Application/JSON; charset=utf-8")).isNull();
    }

    @ParameterizedTest
    @ValueSource(strings = {"text/plain", "text/plain; charset=utf-8", "application/vnd.x+json", "image/png"})
    void otherTypesAreStoredAsTheyCame(String type) {
        assertThat(EventFields.contentType(type)).isEqualTo(type);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "json",
                "/json",
                "text/",
                "",
                "text/\u00e9",
                "application/x-www-form-urlencoded",
                "application/x-www-form-urlencoded; charset=utf-8",
                "multipart/form-data; boundary=x"
            })
    void whatIsNoPayloadIsUnsupported(String type) {
        assertRefused(ErrorCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type: ", () -> EventFields.contentType(type));
    }

    @Test
    void aContentTypeFitsIntoTheRecord() {
        String longest = "text/" + "x".repeat(250);
        assertThat(EventFields.contentType(longest)).isEqualTo(longest);
        assertRefused(
                ErrorCode.UNSUPPORTED_MEDIA_TYPE, "longer than 255", () -> EventFields.contentType(longest + "y"));
    }

    @Test
    void payloadsAreWhatTheirTypeSays() {
        byte[] latin1 = {'a', (byte) 0xe9};
        assertThatCode(() -> {
                    EventFields.payload("{\"a\":1}".getBytes(UTF_8), null, 7);
                    EventFields.payload("{\"a\":1}".getBytes(UTF_8), "application/vnd.x+json", 7);
                    EventFields.payload("é".getBytes(UTF_8), "text/plain", 7);
                    EventFields.payload(latin1, "text/plain; charset=iso-8859-1", 7);
                    EventFields.payload(latin1, "application/octet-stream", 7);
                    EventFields.payload(new byte[0], "text/plain", 7);
                })
                .doesNotThrowAnyException();
        assertRefused(
                ErrorCode.BAD_REQUEST,
                "body: not JSON at byte 5 of 5",
                () -> EventFields.payload("{\"a\":".getBytes(UTF_8), null, 7));
        assertRefused(ErrorCode.BAD_REQUEST, "body: not JSON", () -> EventFields.payload(new byte[0], null, 7));
        assertRefused(
                ErrorCode.BAD_REQUEST,
                "body: not JSON",
                () -> EventFields.payload("1 2".getBytes(UTF_8), "application/x+json", 7));
        assertRefused(ErrorCode.BAD_REQUEST, "body: not UTF-8", () -> EventFields.payload(latin1, "text/plain", 7));
        assertRefused(
                ErrorCode.TOO_LARGE, "body: 8 bytes", () -> EventFields.payload("12345678".getBytes(UTF_8), null, 7));
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            value = {"abc, abc", "\"abc\", abc", "\"abc, \"abc", "` x `, x"})
    void idempotencyKeysMayBeQuoted(String header, String key) {
        assertThat(EventFields.idempotencyKey(headers("Idempotency-Key", header), 255))
                .isEqualTo(key);
    }

    @Test
    void idempotencyKeysAreBounded() {
        String longest = "k".repeat(255);
        assertThat(EventFields.idempotencyKey(new HttpHeaders(), 255)).isNull();
        assertThat(EventFields.idempotencyKey(headers("Idempotency-Key", "\"" + longest + "\""), 255))
                .isEqualTo(longest);
        for (String bad : new String[] {"", "\"\"", longest + "k", "k\u00e9", "k\u0007"}) {
            assertRefused(
                    ErrorCode.BAD_REQUEST,
                    "Idempotency-Key: ",
                    () -> EventFields.idempotencyKey(headers("Idempotency-Key", bad), 255));
        }
        assertRefused(
                ErrorCode.BAD_REQUEST,
                "Idempotency-Key: given 2 times",
                () -> EventFields.idempotencyKey(headers("Idempotency-Key", "a", "b"), 255));
    }

    @Test
    void aBrokenTraceContextIsDropped() {
        String good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assertThat(EventFields.traceparent(headers("traceparent", good))).isEqualTo(good);
        for (String bad : new String[] {"", "x", good + "0", good.replace('a', 'A'), good.replace('-', '_')}) {
            assertThat(EventFields.traceparent(headers("traceparent", bad))).isNull();
        }
    }
}

package dev.tidegate.ingest.api;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BatchReaderTest {
    private final BatchReader reader = new BatchReader(3, 2, 10);

    private List<BatchItem> array(String json) {
        return reader.array(json.getBytes(UTF_8));
    }

    private static String payload(BatchItem item) {
        return new String(((BatchItem.Good) item).data(), UTF_8);
    }

    @Test
    void payloadsAreCutOutAsTheyCame() {
        // given
        String json = "[{\"channel\":\"a\",\"data\":{ \"x\" :1}},\n{\"data\":null,\"channels\":[\"b\",\"chat:c\"],"
                + "\"id\":\"i\\u00e9\",\"type\":\"t\",\"more\":[{}]}]";
        // when
        List<BatchItem> items = array(json);
        // then
        assertThat(items).hasSize(2).allMatch(BatchItem.Good.class::isInstance);
        assertThat(payload(items.get(0))).isEqualTo("{ \"x\" :1}");
        assertThat(payload(items.get(1))).isEqualTo("null");
        BatchItem.Good second = (BatchItem.Good) items.get(1);
        assertThat(second.channels()).extracting(c -> c.value()).containsExactly("b", "chat:c");
        assertThat(second.several()).isTrue();
        assertThat(second.id()).isEqualTo("ié");
        assertThat(second.type()).isEqualTo("t");
        assertThat(((BatchItem.Good) items.get(0)).several()).isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = '|',
            value = {
                "7 | bad_request | item: 7",
                "[] | bad_request | item: []",
                "{} | bad_request | channel: missing",
                "{\"channel\":\"a\"} | bad_request | data: missing",
                "{\"channel\":7,\"data\":1} | bad_request | channel: 7",
                "{\"channel\":\"a b\",\"data\":1} | channel_invalid | channel: character U+0020",
                "{\"channel\":\"a\",\"channels\":[\"b\"],\"data\":1} | bad_request | channels: given beside channel",
                "{\"channels\":\"b\",\"data\":1} | bad_request | channels: \"b\" (expected: an array",
                "{\"channels\":[],\"data\":1} | bad_request | channels: none",
                "{\"channels\":[\"a\",\"b\",\"c\"],\"data\":1} | bad_request | channels: too many",
                "{\"channels\":[\"a\",\"a\"],\"data\":1} | bad_request | channels: 'a' is there twice",
                "{\"channels\":[1],\"data\":1} | bad_request | channels: 1",
                "{\"channel\":\"a\",\"data\":\"123456789\"} | too_large | data: 11 bytes (expected: at most 10)",
                "{\"channel\":\"a\",\"data\":1,\"id\":7} | bad_request | id: 7",
                "{\"channel\":\"a\",\"data\":1,\"id\":\"\"} | bad_request | id: 0 bytes",
                "{\"channel\":\"a\",\"data\":1,\"type\":\"a\\nb\"} | bad_request | type: a character that is not allowed",
            })
    void aBadItemSaysWhichFieldIsWrong(String item, String code, String message) {
        // when
        List<BatchItem> items = array("[{\"channel\":\"a\",\"data\":1}," + item + ",{\"channel\":\"b\",\"data\":2}]");
        // then
        assertThat(items).hasSize(3);
        assertThat(payload(items.get(0))).isEqualTo("1");
        assertThat(payload(items.get(2))).isEqualTo("2");
        Problem problem = ((BatchItem.Bad) items.get(1)).problem();
        assertThat(problem.code().wire()).isEqualTo(code);
        assertThat(problem.detail()).startsWith(message).contains("(expected: ");
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = '|',
            value = {
                "`` | bad_request | body: not JSON at byte 0",
                "[1, | bad_request | body: not JSON at byte 3",
                "{\"channel\":\"a\",\"data\":1} | bad_request | body: {",
                "[1,2,3,4] | too_large | body: more than 3 items",
            })
    void aBodyThatIsNoBatchIsRefused(String body, String code, String message) {
        assertThatThrownBy(() -> array(body))
                .hasMessageContaining(message)
                .isInstanceOfSatisfying(
                        ProtocolException.class,
                        e -> assertThat(e.code().wire()).isEqualTo(code));
    }

    @Test
    void linesAreItemsOfTheirOwn() {
        // given
        String lines = "{\"channel\":\"a\",\"data\":1}\r\n\n  \n{bad\n{\"channel\":\"b\",\"data\":\"2\"}";
        // when
        List<BatchItem> items = reader.lines(lines.getBytes(UTF_8));
        // then
        assertThat(items).hasSize(3);
        assertThat(payload(items.get(0))).isEqualTo("1");
        assertThat(((BatchItem.Bad) items.get(1)).problem().detail()).startsWith("item: not JSON at byte 1");
        assertThat(payload(items.get(2))).isEqualTo("\"2\"");
        assertThat(reader.lines(new byte[0])).isEmpty();
        assertThat(array("[]")).isEmpty();
    }

    @Test
    void linesAreCounted() {
        assertThat(reader.lines("1\n2\n3\n".getBytes(UTF_8))).hasSize(3);
        assertThatThrownBy(() -> reader.lines("1\n2\n3\n4".getBytes(UTF_8)))
                .isInstanceOfSatisfying(
                        ProtocolException.class, e -> assertThat(e.code()).isEqualTo(ErrorCode.TOO_LARGE));
    }
}

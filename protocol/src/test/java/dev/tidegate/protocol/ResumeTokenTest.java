package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ResumeTokenTest {
    @Test
    void itCoversEveryPartitionOfTheStream() {
        // given
        List<Cursor> cursors =
                List.of(Cursor.parse("k3Z_W1xA.7.5"), Cursor.parse("k3Z_W1xA.2.-1"), Cursor.parse("k3Z_W1xA.11.90"));

        // when
        ResumeToken token = ResumeToken.of(cursors);

        // then
        assertThat(token.toString()).isEqualTo("k3Z_W1xA.2.-1_7.5_11.90");
        assertThat(ResumeToken.parse(token.toString())).isEqualTo(token);
        assertThat(token.cursor(7)).isEqualTo(Cursor.parse("k3Z_W1xA.7.5"));
        assertThat(token.cursor(3)).isNull();
    }

    @Test
    void ofTwoPositionsInOnePartitionTheEarlierCountsSoThatNothingIsSkipped() {
        assertThat(ResumeToken.of(List.of(Cursor.parse("e.1.9"), Cursor.parse("e.1.4")))
                        .toString())
                .isEqualTo("e.1.4");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "k3ZqW1xA.7.184467 k3ZqW1xA",
                "_.7.5_8.6 _",
                "a_1.2.3_4.5 a_1",
                "a_1_2.2.3 a_1_2",
                "1_2.3.4_5.6 1_2",
                "a.0.-1_1.-1 a"
            })
    void aCursorIsATokenAndAnEpochMayHoldTheSeparator(String text, String epoch) {
        // when
        ResumeToken token = ResumeToken.parse(text);

        // then
        assertThat(token.epoch()).isEqualTo(epoch);
        assertThat(token.toString()).isEqualTo(text);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "_",
                "a",
                "a.1.2_",
                "a.1.2__3.4",
                "a.1.2_3",
                "a.1.2_3.4.5",
                "a.1.2_1.3",
                "a.2.1_1.1",
                "a.1.2_3.4 ",
                "a.1.2_3.4\n",
                "a.1.2_03.4",
                "a.1.2_b.3.4"
            })
    void otherTokensAreRefused(String text) {
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> ResumeToken.parse(text));
        assertThat(e.code()).isEqualTo(ErrorCode.CURSOR_INVALID);
    }

    @Test
    void itsSizeIsBounded() {
        // given
        TreeMap<Integer, Long> offsets = new TreeMap<>();
        for (int p = 0; p < ResumeToken.MAX_PARTITIONS; p++) {
            offsets.put(p, 1_000_000_000L);
        }
        ResumeToken most = new ResumeToken("k3ZqW1xA", offsets);

        // when, then
        assertThat(ResumeToken.parse(most.toString())).isEqualTo(most);
        assertThat(most.toString().length()).as("fits a header line").isLessThan(8_192);
        assertThatThrownBy(() -> ResumeToken.parse(most + "_512.1")).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> ResumeToken.parse("a.1.2" + "_3.4".repeat(100_000)))
                .isInstanceOf(ProtocolException.class);
    }

    @Test
    void cursorsOfTwoTopicsMakeNoToken() {
        assertThatThrownBy(() -> ResumeToken.of(List.of(Cursor.parse("a.1.9"), Cursor.parse("b.1.4"))))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void eachTokenHasExactlyOneSpelling() {
        Property.holds("token spelling", 100_000, random -> {
            // given
            byte[] b = Documents.damaged(random, Documents.utf8("k_ZqW1xA.7.184467_9.-1_12.5"), random.nextInt(4));
            String text = new String(b, java.nio.charset.StandardCharsets.ISO_8859_1);

            // when
            ResumeToken parsed;
            try {
                parsed = ResumeToken.parse(text);
            } catch (ProtocolException e) {
                return;
            }

            // then
            assertThat(parsed.toString()).isEqualTo(text);
        });
    }
}

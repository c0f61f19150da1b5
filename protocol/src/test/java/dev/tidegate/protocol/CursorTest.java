package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CursorTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "k3ZqW1xA.7.184467",
                "a.0.0",
                "-_-.2147483647.9223372036854775807",
                "k3ZqW1xA.7.-1",
                "0123456789abcdef.2147483647.9223372036854775807"
            })
    void aCursorIsSpelledAsItWasRead(String text) {
        assertThat(Cursor.parse(text).toString()).isEqualTo(text);
    }

    @Test
    void itsPartsAreEpochPartitionAndOffset() {
        assertThat(Cursor.parse("k3ZqW1xA.7.184467")).isEqualTo(new Cursor("k3ZqW1xA", 7, 184467));
        assertThat(Cursor.parse("k3ZqW1xA.7.-1").offset()).isEqualTo(Cursor.BEFORE_FIRST);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "a",
                "a.",
                "a.1",
                "a.1.",
                "a..1",
                ".1.1",
                "a.1.1.1",
                "a.01.1",
                "a.1.01",
                "a.1.00",
                "a.-0.1",
                "a.1.-0",
                "a.1.-2",
                "a.1.-01",
                "a.-1.1",
                "a.+1.1",
                "a.1.+1",
                "a. 1.1",
                "a.1.1 ",
                "a.1.1\n",
                " a.1.1",
                "a.1.x",
                "a.x.1",
                "a.2147483648.1",
                "a.1.9223372036854775808",
                "a.1.10000000000000000000",
                "é.1.1",
                "a b.1.1",
                "0123456789abcdefg.1.1",
                "a.١.1"
            })
    void whatIsNotExactlySpelledIsRefused(String text) {
        // when
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> Cursor.parse(text));

        // then
        assertThat(e.code()).isEqualTo(ErrorCode.CURSOR_INVALID);
        assertThat(e.text()).isEqualTo("cursor: '" + text + "' (expected: <epoch>.<partition>.<offset> as received)");
    }

    @Test
    void aLongOneIsRefusedWithoutRepeatingIt() {
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> Cursor.parse("a".repeat(100_000)));
        assertThat(e.text().length()).isLessThan(200);
    }

    @Test
    void eachPositionHasExactlyOneSpelling() {
        Property.holds("cursor spelling", 200_000, random -> {
            // given
            byte[] b = Documents.damaged(random, Documents.utf8("k3ZqW1xA.7.184467"), 1 + random.nextInt(3));
            String text = new String(b, java.nio.charset.StandardCharsets.ISO_8859_1);

            // when
            Cursor parsed;
            try {
                parsed = Cursor.parse(text);
            } catch (ProtocolException e) {
                return;
            }

            // then
            assertThat(parsed.toString()).isEqualTo(text);
        });
        Property.holds("cursor round trip", 20_000, random -> {
            Cursor c = new Cursor(
                    Epoch.of(random.nextLong(), random.nextLong()),
                    random.nextInt() >>> 1,
                    random.nextLong() >> 1 >>> random.nextInt(1, 64));
            assertThat(Cursor.parse(c.toString())).isEqualTo(c);
            assertThat(c.toString().length()).isLessThanOrEqualTo(Cursor.MAX_LENGTH);
        });
    }

    @Test
    void onlyCursorsOfOnePartitionOfOneTopicAreCompared() {
        // given
        Cursor c = Cursor.parse("k3ZqW1xA.7.5");

        // when, then
        assertThat(c.comparableTo(Cursor.parse("k3ZqW1xA.7.9"))).isTrue();
        assertThat(c.comparableTo(Cursor.parse("k3ZqW1xA.8.9"))).isFalse();
        assertThat(c.comparableTo(Cursor.parse("other.7.9"))).isFalse();
        assertThat(c.at(9)).isEqualTo(Cursor.parse("k3ZqW1xA.7.9"));
    }
}

package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ChannelNameTest {
    private static final String ALLOWED = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:/@#=~+,";

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "news default news",
                "orders:eu orders eu",
                "orders:eu:west orders eu:west",
                "a:: a :",
                ". default .",
                "user:ada@example.org user ada@example.org",
                "x/y#z=~+, default x/y#z=~+,"
            })
    void aNameHasANamespaceAndALocalName(String value, String namespace, String localName) {
        // when
        ChannelName name = ChannelName.parse(value);

        // then
        assertThat(name.namespace()).isEqualTo(namespace);
        assertThat(name.localName()).isEqualTo(localName);
        assertThat(name.toString()).isEqualTo(value);
        assertThat(name.bytes()).isEqualTo(Documents.utf8(value));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ":", ":a", "a:", "a b", "a*", "naïve", "a\n", "a\u0000", "\"", "a%20b", "a\\b", "猫"})
    void otherNamesAreRefusedWithTheReason(String value) {
        // when
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> new ChannelName(value));

        // then
        assertThat(e.code()).isEqualTo(ErrorCode.CHANNEL_INVALID);
        assertThat(e.text()).startsWith("channel: ").contains("(expected: ");
        assertThat(e.text().chars()).as("printable").allMatch(c -> c >= 32 && c < 127);
        assertThat(ChannelName.isValid(Documents.utf8(value))).isFalse();
    }

    @Test
    void theLengthIsBounded() {
        assertThat(new ChannelName("a".repeat(255)).value()).hasSize(255);
        assertThat(ChannelName.isValid(Documents.utf8("a".repeat(255)))).isTrue();
        assertThat(ChannelName.isValid(Documents.utf8("a".repeat(256)))).isFalse();
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> new ChannelName("a".repeat(256)));
        assertThat(e.text()).isEqualTo("channel: longer than 255 bytes (expected: 1 to 255 bytes)");
    }

    @Test
    void everyCharacterIsJudgedAsTheContractLists() {
        for (int c = 0; c <= 0xffff; c++) {
            // given
            String value = "a" + (char) c + "b";

            // when
            boolean accepted = accepts(value);

            // then
            if (accepted != ALLOWED.indexOf(c) >= 0) {
                assertThat(accepted).as("U+%04X", c).isEqualTo(!accepted);
            }
        }
    }

    @Test
    void theRuleForBytesIsTheRuleForText() {
        Property.holds("channel bytes = channel text", 100_000, random -> {
            // given
            StringBuilder s = new StringBuilder();
            for (int i = random.nextInt(random.nextInt(20) == 0 ? 300 : 6); i > 0; i--) {
                int any = random.nextInt(12);
                s.append(
                        any == 0
                                ? (char) random.nextInt(256)
                                : any < 4 ? ':' : ALLOWED.charAt(random.nextInt(ALLOWED.length())));
            }
            String value = s.toString();

            // when
            boolean text = accepts(value);
            boolean bytes = ChannelName.isValid(value.getBytes(StandardCharsets.UTF_8));

            // then
            assertThat(bytes).as(value).isEqualTo(text);
        });
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {"orders:eu orders:eu", "orders%3Aeu%2F42%23x%40y orders:eu/42#x@y", "%41 A", "a+b a+b", "%2f %2F"})
    void aPathSegmentIsDecodedOnce(String raw, String value) {
        assertThat(ChannelName.ofPathSegment(raw).value()).isEqualTo(value.replace("%2F", "/"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"%", "a%4", "%zz", "%2", "%C3%A9", "%20", "a%00", "%3Aa"})
    void aPathSegmentThatIsNoNameIsRefused(String raw) {
        ProtocolException e = catchThrowableOfType(ProtocolException.class, () -> ChannelName.ofPathSegment(raw));
        assertThat(e.code()).isEqualTo(ErrorCode.CHANNEL_INVALID);
    }

    private static boolean accepts(String value) {
        try {
            return new ChannelName(value).value().equals(value);
        } catch (ProtocolException e) {
            return false;
        }
    }
}

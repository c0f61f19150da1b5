package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

class Utf8Test {
    @Test
    void everyCodePointIsValidAndEverySurrogateIsNot() {
        for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
            // given
            boolean surrogate = c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
            byte[] b = surrogate
                    ? new byte[] {(byte) 0xed, (byte) (0x80 | ((c >> 6) & 0x3f)), (byte) (0x80 | (c & 0x3f))}
                    : Character.toString(c).getBytes(java.nio.charset.StandardCharsets.UTF_8);

            // when
            boolean valid = Utf8.isValid(b, 0, b.length);

            // then
            if (valid == surrogate) {
                assertThat(valid).as("U+%04X", c).isEqualTo(!surrogate);
            }
        }
    }

    @Test
    void everyPairAndTripleOfBytesIsJudgedAsByTheStrictDecoderOfTheJdk() {
        // given: all sequences of two bytes, and of three that begin with a lead byte
        for (int lead = 0x80; lead < 0x100; lead++) {
            for (int second = 0; second < 0x100; second++) {
                agree(new byte[] {(byte) lead, (byte) second});
                for (int third : new int[] {0x00, 0x22, 0x7f, 0x80, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}) {
                    agree(new byte[] {(byte) lead, (byte) second, (byte) third});
                    agree(new byte[] {(byte) lead, (byte) second, (byte) third, (byte) 0x80});
                }
            }
        }
    }

    @Test
    void agreesWithTheStrictDecoderOfTheJdkOnDamagedText() {
        Property.holds("UTF-8 = JDK", 50_000, random -> agree(Documents.damagedDocument(random)));
        Property.holds("UTF-8 = JDK, noise", 50_000, random -> {
            byte[] b = new byte[random.nextInt(40)];
            random.nextBytes(b);
            for (int i = 0; i < b.length; i++) {
                if (random.nextInt(3) > 0) {
                    b[i] &= 0x7f;
                }
            }
            agree(b);
        });
    }

    private static void agree(byte[] b) {
        // when
        boolean valid = Utf8.isValid(b, 0, b.length);

        // then
        if (valid != (Documents.strictText(b) != null)) {
            assertThat(valid).as("%s", Arrays.toString(b)).isEqualTo(!valid);
        }
    }
}

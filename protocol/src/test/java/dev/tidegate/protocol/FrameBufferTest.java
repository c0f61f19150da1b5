package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.Test;

class FrameBufferTest {
    @Test
    void numbersAreSpelledAsJavaSpellsThem() {
        Property.holds("number", 50_000, random -> {
            long n = random.nextLong() >> random.nextInt(64);
            assertThat(new FrameBuffer(0).number(n).toText()).isEqualTo(Long.toString(n));
        });
        for (long n : new long[] {0, -1, 9, 10, 99, 100, Long.MAX_VALUE, Long.MIN_VALUE, Long.MIN_VALUE + 1}) {
            assertThat(new FrameBuffer(0).number(n).toText()).isEqualTo(Long.toString(n));
        }
    }

    @Test
    void base64IsSpelledAsTheJdkSpellsIt() {
        Property.holds("base64", 20_000, random -> {
            // given
            byte[] b = new byte[random.nextInt(70)];
            random.nextBytes(b);
            int from = random.nextInt(b.length + 1);
            int length = random.nextInt(b.length - from + 1);

            // when
            String text = new FrameBuffer(0).base64(b, from, length).toText();

            // then
            assertThat(text).isEqualTo(Base64.getEncoder().encodeToString(Arrays.copyOfRange(b, from, from + length)));
        });
    }

    @Test
    void anyTextBecomesAJsonStringOfThatText() {
        Property.holds("string", 50_000, random -> {
            // given
            StringBuilder s = new StringBuilder();
            for (int i = random.nextInt(40); i > 0; i--) {
                switch (random.nextInt(6)) {
                    case 0 -> s.append((char) random.nextInt(0x20));
                    case 1 -> s.append("\"\\/\u007f".charAt(random.nextInt(4)));
                    case 2 -> s.appendCodePoint(random.nextInt(0xd800));
                    case 3 -> s.appendCodePoint(random.nextInt(0x10000, 0x110000));
                    default -> s.append((char) ('a' + random.nextInt(26)));
                }
            }
            String text = s.toString();

            // when
            String fromText = new FrameBuffer(0).jsonString(text).toText();
            String fromBytes = new FrameBuffer(0).jsonString(utf8(text)).toText();

            // then
            assertThat(fromText).isEqualTo(fromBytes);
            assertThat(Documents.isJson(utf8(fromBytes))).isTrue();
            assertThat(Documents.tree(utf8(fromBytes)).asString()).isEqualTo(text);
        });
    }

    @Test
    void aDocumentStaysTheSameOnOneLine() {
        Property.holds("one line", 20_000, random -> {
            // given
            byte[] document = utf8(Documents.document(random));

            // when
            String line =
                    new FrameBuffer(0).jsonOneLine(document, 0, document.length).toText();

            // then
            assertThat(line)
                    .doesNotContain("\n", "\r")
                    .hasSize(Documents.text(document).length());
            assertThat(Documents.tree(utf8(line))).isEqualTo(Documents.tree(document));
        });
    }

    @Test
    void itIsReusedAndCutBack() {
        // given
        FrameBuffer b = new FrameBuffer(0).ascii("abc").raw('d');
        byte[] array = b.array();

        // when
        b.truncate(2);

        // then
        assertThat(b.toText()).isEqualTo("ab");
        assertThat(b.clear().raw(utf8("xyz"), 1, 1).toText()).isEqualTo("y");
        assertThat(b.array()).isSameAs(array);
        assertThatThrownBy(() -> b.truncate(2)).isInstanceOf(IndexOutOfBoundsException.class);
    }
}

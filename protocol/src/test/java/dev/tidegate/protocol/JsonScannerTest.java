package dev.tidegate.protocol;

import static dev.tidegate.protocol.Documents.utf8;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonScannerTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "0",
                "-0",
                "-0.0e-0",
                "1E400",
                "true",
                "null",
                "\"\"",
                "[]",
                "{}",
                " [ ] ",
                "{\"\":{}}",
                "[[],[{}]]",
                "\"\\u0000\\uD800\"",
                "\"\u007f\"",
                "\"\u2028\"",
                "{\"a\":1,\"a\":2}"
            })
    void documentsAreAccepted(String document) {
        assertThat(JsonScanner.check(utf8(document), 0, utf8(document).length)).isEqualTo(JsonScanner.VALID);
    }

    static Stream<Arguments> faults() {
        return Stream.of(
                fault("", 0),
                fault(" ", 1),
                fault("01", 1),
                fault("-", 1),
                fault("+1", 0),
                fault(".5", 0),
                fault("1.", 2),
                fault("1.e3", 2),
                fault("1e", 2),
                fault("1e+", 3),
                fault("tru", 3),
                fault("trUe", 2),
                fault("nulll", 4),
                fault("NaN", 0),
                fault("[1,]", 3),
                fault("[1 2]", 3),
                fault("[,]", 1),
                fault("[", 1),
                fault("{\"a\"}", 4),
                fault("{\"a\":}", 5),
                fault("{\"a\":1,}", 7),
                fault("{a:1}", 1),
                fault("{1:2}", 1),
                fault("\"", 1),
                fault("\"\\x\"", 2),
                fault("\"\\u12g4\"", 5),
                fault("\"\\u12", 5),
                fault("\"\t\"", 1),
                fault("1 2", 2),
                fault("{}}", 2),
                fault("[1]//", 3),
                fault("\ufeff1", 0),
                fault("\u00a01", 0));
    }

    private static Arguments fault(String document, int index) {
        return Arguments.of(document, index);
    }

    @ParameterizedTest
    @MethodSource("faults")
    void theFirstFaultIsNamed(String document, int fault) {
        // given
        byte[] b = utf8(document);

        // when
        int at = JsonScanner.check(b, 0, b.length);

        // then
        assertThat(at).isEqualTo(fault);
    }

    @Test
    void nestingIsBounded() {
        // given
        String deepest = "[".repeat(JsonScanner.MAX_DEPTH) + "]".repeat(JsonScanner.MAX_DEPTH);
        String objects = "{\"a\":".repeat(JsonScanner.MAX_DEPTH) + "1" + "}".repeat(JsonScanner.MAX_DEPTH);

        // when, then
        assertThat(JsonScanner.isValid(utf8(deepest))).isTrue();
        assertThat(JsonScanner.isValid(utf8(objects))).isTrue();
        assertThat(JsonScanner.isValid(utf8("[" + deepest + "]"))).isFalse();
        assertThat(JsonScanner.isValid(utf8("[" + objects + "]"))).isFalse();
        assertThat(JsonScanner.isValid(utf8("[".repeat(1_000_000)))).isFalse();
    }

    @Test
    void acceptsExactlyWhatJacksonAccepts() {
        boolean[] seen = new boolean[2];
        Property.holdsFor("scanner = Jackson", 2_000, random -> {
            // given
            byte[] b = Documents.damagedDocument(random);

            // when
            boolean valid = JsonScanner.isValid(b);

            // then
            assertThat(valid)
                    .as("%s", Arrays.toString(b) + " " + Documents.text(b))
                    .isEqualTo(Documents.isJson(b));
            seen[valid ? 1 : 0] = true;
        });
        assertThat(seen).as("both kinds were tried").containsExactly(true, true);
    }

    @Test
    void looksAtItsRangeAlone() {
        Property.holds("range", 20_000, random -> {
            // given
            byte[] inner = Documents.damagedDocument(random);
            byte[] outer = new byte[inner.length + 20];
            random.nextBytes(outer);
            int at = random.nextInt(20);
            System.arraycopy(inner, 0, outer, at, inner.length);

            // when
            int alone = JsonScanner.check(inner, 0, inner.length);
            int within = JsonScanner.check(outer, at, at + inner.length);

            // then
            assertThat(within).isEqualTo(alone == JsonScanner.VALID ? alone : alone + at);
        });
    }
}

package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class JsonValueTest {
    @Test
    @DisplayName("elements(max) stops there, whatever follows")
    void elementsAreBounded() {
        // given
        byte[] array = "[ {\"a\":[1,2]} , \"x,]\" ,3]".getBytes(StandardCharsets.US_ASCII);
        JsonValue document = JsonValue.parse(array, 0, array.length);
        // when
        List<String> two = document.elements(2).stream().map(JsonValue::rawText).toList();
        List<String> all = document.elements().stream().map(JsonValue::rawText).toList();
        // then
        assertThat(two).containsExactly("{\"a\":[1,2]}", "\"x,]\"");
        assertThat(all).containsExactly("{\"a\":[1,2]}", "\"x,]\"", "3");
        assertThat(document.elements(0)).isEmpty();
    }
}

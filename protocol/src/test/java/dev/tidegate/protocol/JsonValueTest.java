package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;

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

    @Test
    @DisplayName("what is read out of any document is what Jackson reads")
    void agreesWithJackson() {
        Property.holds("value = Jackson", 20_000, random -> {
            // given
            byte[] b = Documents.utf8(Documents.document(random));

            // when, then
            same(JsonValue.parse(b, 0, b.length), Documents.tree(b));
        });
    }

    @Test
    @DisplayName("asked for what it is not, it complains as about any other bad input")
    void wrongKind() {
        byte[] b = Documents.utf8("[1,\"x\"]");
        JsonValue array = JsonValue.parse(b, 0, b.length);
        assertThatThrownBy(array::members).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> array.string("a")).hasMessage("a: [1,\"x\"] (expected: a string)");
        assertThatThrownBy(() -> array.bool("a")).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> array.integer("a", 0, 1)).isInstanceOf(ProtocolException.class);
        assertThatThrownBy(() -> array.elements().getFirst().elements()).isInstanceOf(ProtocolException.class);
    }

    private static void same(JsonValue value, JsonNode node) {
        switch (value.kind()) {
            case OBJECT -> {
                Map<String, JsonValue> last = new HashMap<>();
                value.members().forEach(m -> last.put(m.name(), m.value()));
                assertThat(last.keySet()).containsExactlyInAnyOrderElementsOf(node.propertyNames());
                last.forEach((name, member) -> same(member, node.get(name)));
            }
            case ARRAY -> {
                assertThat(value.elements()).hasSize(node.size());
                for (int i = 0; i < node.size(); i++) {
                    same(value.elements().get(i), node.get(i));
                }
            }
            case STRING -> assertThat(value.string("x")).isEqualTo(node.asString());
            case NUMBER -> assertThat(node.isNumber()).isTrue();
            case BOOLEAN -> assertThat(value.bool("x")).isEqualTo(node.asBoolean());
            case NULL -> assertThat(node.isNull()).isTrue();
        }
    }
}

package dev.tidegate.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The examples and tables of {@code docs/} are what the code says. */
class DocumentsAgreeTest {
    private static final Path DOCS = Path.of("..", "docs");

    @Test
    void theExamplesOfTheProtocolPageAreGoldenFrames() throws IOException {
        // given
        List<String> examples = new ArrayList<>();
        boolean inside = false;
        for (String line : Files.readAllLines(DOCS.resolve("protocol.md"))) {
            if (line.startsWith("```")) {
                inside = line.equals("```jsonl");
            } else if (inside) {
                examples.add(line);
            } else if (line.startsWith("data: ")) {
                examples.add(line.substring("data: ".length()));
            }
        }

        // when, then
        assertThat(golden().values()).containsAll(examples);
        assertThat(operations(examples)).as("every op has an example").isEqualTo(operations(golden().values()));
    }

    @Test
    void theExamplesOfTheDescriptionsAreGoldenFrames() throws IOException {
        // given
        Map<String, String> golden = golden();
        List<String> async = examples("asyncapi.yaml", "payload: ");
        List<String> open = examples("openapi.yaml", "- ");

        // when, then
        assertThat(golden.values()).containsAll(async).containsAll(open);
        Set<String> described = operations(async);
        described.addAll(operations(open));
        assertThat(described).as("every op has an example").isEqualTo(operations(golden.values()));
    }

    @Test
    void theTablesOfCodesAreComplete() throws IOException {
        String page = Files.readString(DOCS.resolve("protocol.md"));
        for (CloseCode c : CloseCode.values()) {
            assertThat(page).containsPattern("(?m)^\\| " + c.number() + " \\| " + c.defaultReason());
        }
        for (String file : List.of("asyncapi.yaml", "openapi.yaml")) {
            String description = Files.readString(DOCS.resolve(file));
            for (ErrorCode c : ErrorCode.values()) {
                assertThat(page).contains("`" + c.wire() + "`");
                assertThat(description).containsPattern("enum: \\[[a-z_, ]*\\b" + c.wire() + "\\b");
            }
        }
    }

    private static Map<String, String> golden() {
        Map<String, String> all = new TreeMap<>();
        for (String file : List.of("server-frames.txt", "client-frames.txt", "replay-lines.txt")) {
            Golden.read(file).forEach((name, text) -> all.put(file + " " + name, text));
        }
        return all;
    }

    private static List<String> examples(String file, String before) throws IOException {
        List<String> examples = new ArrayList<>();
        for (String line : Files.readAllLines(DOCS.resolve(file))) {
            String text = line.strip();
            if (text.startsWith(before + "{\"op\"")) {
                examples.add(text.substring(before.length()));
            }
        }
        assertThat(examples).isNotEmpty();
        return examples;
    }

    /** The ops of these frames; arrays have none. */
    private static Set<String> operations(Iterable<String> frames) {
        Set<String> ops = new TreeSet<>();
        for (String frame : frames) {
            var op = Documents.tree(Documents.utf8(frame)).get("op");
            if (op != null) {
                ops.add(op.asString());
            }
        }
        return ops;
    }
}

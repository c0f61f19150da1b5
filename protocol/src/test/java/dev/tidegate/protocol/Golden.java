package dev.tidegate.protocol;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/** The files of exact bytes under {@code golden/}: a name, a space, the bytes; {@code #} begins a comment. */
final class Golden {
    private Golden() {}

    /** Name to exact text, in the file's order. */
    static Map<String, String> read(String file) {
        try (var in = Objects.requireNonNull(Golden.class.getResourceAsStream("/golden/" + file), file)) {
            Map<String, String> out = new LinkedHashMap<>();
            new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.isBlank() && !line.startsWith("#"))
                    .forEach(line ->
                            out.put(line.substring(0, line.indexOf(' ')), line.substring(line.indexOf(' ') + 1)));
            return out;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

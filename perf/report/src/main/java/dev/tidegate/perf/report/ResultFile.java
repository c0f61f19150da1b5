package dev.tidegate.perf.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Result files: {@code <folder>/<date>-<time>-<name>.json}, one a run, pretty-printed so that they can be compared as text. */
public final class ResultFile {
    private static final DateTimeFormatter STAMP = DateTimeFormatter.ofPattern("yyyy-MM-dd-HHmmss", Locale.ROOT);
    private static final ObjectMapper JSON =
            JsonMapper.builder().enable(SerializationFeature.INDENT_OUTPUT).build();

    private ResultFile() {}

    /**
     * Writes a result.
     *
     * @param name of the run: letters, digits, {@code . _ -}; others become {@code -}
     * @return the file
     */
    public static Path write(Path folder, String name, Object result) throws IOException {
        Files.createDirectories(folder);
        String safe = name.replaceAll("[^A-Za-z0-9._-]", "-");
        String stamp = STAMP.format(LocalDateTime.now(ZoneId.systemDefault()));
        Path file = folder.resolve(stamp + "-" + safe + ".json");
        Files.writeString(file, JSON.writeValueAsString(result) + "\n");
        return file;
    }

    /** A result and the file it was read from. */
    public record Read(Path file, JsonNode json) {}

    /** Every result of a folder, oldest first; empty if there is no such folder. */
    public static List<Read> readAll(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        List<Read> out = new ArrayList<>();
        try (var files = Files.list(folder)) {
            for (Path f :
                    files.filter(f -> f.toString().endsWith(".json")).sorted().toList()) {
                out.add(new Read(f, JSON.readTree(Files.readString(f))));
            }
        }
        return out;
    }
}

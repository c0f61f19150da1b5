package dev.tidegate.perf.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * The state of the source that was measured.
 *
 * @param id the commit, or "unknown" outside of a work tree
 * @param changed whether tracked files differ from it: such a figure cannot be repeated from the commit
 */
public record Commit(String id, boolean changed) {
    private static final long TIMEOUT_SECONDS = 10;

    /** The commit of the work tree that holds this folder. */
    public static Commit of(Path folder) {
        String id = git(folder, "rev-parse", "--short=12", "HEAD");
        if (id.isEmpty()) {
            return new Commit("unknown", false);
        }
        return new Commit(
                id,
                !git(folder, "status", "--porcelain", "--untracked-files=no").isEmpty());
    }

    private static String git(Path folder, String... arguments) {
        var command = new java.util.ArrayList<String>();
        command.add("git");
        command.addAll(java.util.List.of(arguments));
        try {
            Process p = new ProcessBuilder(command)
                    .directory(folder.toFile())
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
            String out = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
            if (!p.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
                p.destroyForcibly();
                return "";
            }
            return p.exitValue() == 0 ? out : "";
        } catch (IOException e) {
            return ""; // no git here
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "";
        }
    }
}

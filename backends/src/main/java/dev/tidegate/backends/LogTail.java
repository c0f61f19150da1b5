package dev.tidegate.backends;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Predicate;

/** The end of a native program's log file, where it says why it ended. */
final class LogTail {

    private static final int AT_MOST_BYTES = 64 * 1024;

    private LogTail() {}

    /** The same file, emptied or yet to be made, so that what stands in it afterwards is of one start. */
    static Path emptied(Path log) {
        try {
            Files.deleteIfExists(log);
            return log;
        } catch (IOException e) {
            throw new StartFailure("log file " + log + " cannot be replaced: " + DataFolder.describe(e), e);
        }
    }

    /** The last line within the file's last 64 KiB that {@code wanted} takes. */
    static Optional<String> last(Path log, Predicate<String> wanted) {
        try (RandomAccessFile file = new RandomAccessFile(log.toFile(), "r")) {
            long from = Math.max(0, file.length() - AT_MOST_BYTES);
            byte[] bytes = new byte[(int) (file.length() - from)];
            file.seek(from);
            file.readFully(bytes);
            return new String(bytes, StandardCharsets.UTF_8)
                    .lines()
                    .filter(wanted)
                    .reduce((first, second) -> second);
        } catch (IOException unreadable) {
            return Optional.empty();
        }
    }
}

package dev.tidegate.backends;

import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Properties;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The folder that keeps what the backends store from one run to the next.
 *
 * <pre>
 * tidegate.properties   marks the folder as ours and names the format of this layout
 * kafka/ redis/ postgres/   what each backend stores, in its own format
 * kafka.lock …          held by the process that runs that backend; see {@link Claim}
 * redis.pid …           the native process that runs on it, so that a later run can find one that was left over
 * logs/                 what the backends print; started anew at each start
 * </pre>
 *
 * Locks are per backend, not per folder: in a failure drill each backend is killed and started again by itself.
 */
public final class DataFolder {

    static final String MARKER = "tidegate.properties";
    private static final String NEW = ".new";
    private static final int FORMAT = 1;

    private final Path path;

    private DataFolder(Path path) {
        this.path = path;
    }

    /**
     * Opens {@code path}; makes it when it is missing or empty.
     *
     * @throws StartFailure when it is somebody else's, damaged, of a later format, or cannot be written
     */
    public static DataFolder open(Path path) {
        Path folder = path.toAbsolutePath().normalize();
        try {
            if (Files.exists(folder) && !Files.isDirectory(folder)) {
                throw new StartFailure("data folder " + folder + " is a file: choose another with TIDEGATE_DATA");
            }
            Files.createDirectories(folder);
            Path marker = folder.resolve(MARKER);
            if (!Files.exists(marker)) {
                mark(folder, marker);
            }
            requireFormat(folder, marker);
            Files.createDirectories(folder.resolve("logs"));
            return new DataFolder(folder);
        } catch (IOException e) {
            throw new StartFailure("data folder " + folder + " cannot be used: " + describe(e), e);
        }
    }

    private static void mark(Path folder, Path marker) throws IOException {
        if (!isEmpty(folder)) {
            if (Files.exists(marker)) {
                return; // by another process, which starts on the same new folder at this moment
            }
            throw new StartFailure("data folder " + folder + " is not Tidegate's (it holds files, but no " + MARKER
                    + "): choose an empty one with TIDEGATE_DATA, or move it away");
        }
        // Backends that start at the same moment each move their own file there, and all of them hold the same.
        Path fresh = folder.resolve(MARKER + "." + UUID.randomUUID() + NEW);
        Files.writeString(fresh, "# Tidegate keeps the data of its embedded backends here.\nformat=" + FORMAT + "\n");
        Files.move(fresh, marker, StandardCopyOption.ATOMIC_MOVE);
    }

    private static boolean isEmpty(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            // What a first start leaves that was killed before it had marked the folder; a log file may be opened
            // before that.
            return files.map(file -> file.getFileName().toString())
                    .allMatch(name -> (name.startsWith(MARKER) && name.endsWith(NEW)) || name.equals("logs"));
        }
    }

    private static void requireFormat(Path folder, Path marker) throws IOException {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(marker, StandardCharsets.UTF_8)) {
            properties.load(reader);
        } catch (IllegalArgumentException | java.nio.charset.CharacterCodingException e) {
            throw new StartFailure(damaged(folder, MARKER + " cannot be read"), e);
        }
        String format = properties.getProperty("format", "").strip();
        if (!format.matches("[0-9]{1,9}")) {
            throw new StartFailure(damaged(folder, MARKER + " names no format"));
        }
        if (Integer.parseInt(format) != FORMAT) {
            throw new StartFailure("data folder " + folder + " has format " + format + ", this Tidegate knows " + FORMAT
                    + ": use the Tidegate that wrote it, or choose another folder with TIDEGATE_DATA");
        }
    }

    /** One line that says a part of the data folder is damaged, why, and what to do. */
    static String damaged(Path part, String why) {
        return "data folder " + part + " is damaged (" + why + "): restore it, or move it away to start afresh";
    }

    static String describe(IOException e) {
        String what = StartFailure.rootLine(e);
        return e instanceof java.nio.file.AccessDeniedException ? "no permission for " + what : what;
    }

    /** The folder, absolute. */
    public Path path() {
        return path;
    }

    /** Where the backends' log files are. */
    public Path logs() {
        return path.resolve("logs");
    }

    /** The log file of one backend. */
    public Path log(BackendKind kind) {
        return logs().resolve(kind.label() + ".log");
    }

    /**
     * Takes one backend's part for this process until the claim is closed.
     *
     * @throws StartFailure when another process has it
     */
    public Claim claim(BackendKind kind) {
        return Claim.take(this, kind);
    }
}

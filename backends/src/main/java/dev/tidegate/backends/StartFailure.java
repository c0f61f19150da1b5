package dev.tidegate.backends;

/**
 * A start that cannot go on for a reason that whoever typed the command can mend: a taken port, a damaged folder, a machine that lacks
 * something. The message is one whole line that names the cause and the way out; it is printed as it stands, so it carries no stack trace.
 * The cause, where there is one, is for the log file.
 */
public final class StartFailure extends RuntimeException {

    /** The exit code of a command that ends for such a reason; 1 is left to bugs, which do show their trace. */
    public static final int EXIT_CODE = 2;

    /** A failure told by {@code line}. */
    public StartFailure(String line) {
        super(line, null, false, false);
    }

    /** A failure told by {@code line}; {@code cause} is for the log. */
    public StartFailure(String line, Throwable cause) {
        super(line, cause, false, false);
    }

    /** The first line of what {@code failure} says at its root: one line is what a terminal gets. */
    public static String rootLine(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        String message = root.getMessage();
        return message == null || message.isBlank()
                ? root.getClass().getSimpleName()
                : message.lines().findFirst().orElseThrow().strip();
    }
}

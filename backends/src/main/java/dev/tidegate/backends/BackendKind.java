package dev.tidegate.backends;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The three backends, with the names that commands, folders and environment variables give them. */
public enum BackendKind {
    /** The log of record. */
    KAFKA(9092, "127.0.0.1:%d"),
    /** The second, lossy tier. */
    REDIS(6379, "redis://127.0.0.1:%d"),
    /** Archive, spool, outbox, cursors. */
    POSTGRES(5432, "postgresql://postgres@127.0.0.1:%d/postgres");

    private final int defaultPort;
    private final String address;

    BackendKind(int defaultPort, String address) {
        this.defaultPort = defaultPort;
        this.address = address;
    }

    /** The name on the command line, of the sub-folder and of the log file, e.g. {@code kafka}. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The port when nothing else is said. */
    public int defaultPort() {
        return defaultPort;
    }

    /** The variable that changes the port, e.g. {@code TIDEGATE_KAFKA_PORT}. */
    public String portVariable() {
        return addressVariable() + "_PORT";
    }

    /** The variable by which a service is told where it is, e.g. {@code TIDEGATE_KAFKA}. */
    public String addressVariable() {
        return "TIDEGATE_" + name();
    }

    /** The value of {@link #addressVariable()} for a backend on {@code port} of this machine. */
    public String address(int port) {
        return address.formatted(port);
    }

    /** The backend called {@code label}, if there is one. */
    public static Optional<BackendKind> of(String label) {
        return Arrays.stream(values())
                .filter(kind -> kind.label().equals(label))
                .findFirst();
    }
}

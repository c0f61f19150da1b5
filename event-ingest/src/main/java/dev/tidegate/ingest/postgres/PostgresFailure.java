package dev.tidegate.ingest.postgres;

import io.r2dbc.spi.R2dbcException;
import org.jspecify.annotations.Nullable;

/** A statement or a connection attempt that failed or took too long; its session is of no more use. */
public final class PostgresFailure extends RuntimeException {
    PostgresFailure(String what, Throwable cause) {
        super(what + ": " + firstLine(cause), cause);
    }

    /** PostgreSQL's own code for it; null if it did not come from there. */
    public @Nullable String sqlState() {
        for (@Nullable Throwable t = getCause(); t != null; t = t.getCause()) {
            if (t instanceof R2dbcException r) {
                return r.getSqlState();
            }
        }
        return null;
    }

    private static String firstLine(Throwable e) {
        String message = e.getMessage();
        return message == null
                ? e.getClass().getSimpleName()
                : message.lines().findFirst().orElse("");
    }
}

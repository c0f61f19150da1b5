package dev.tidegate.gateway.config;

import java.time.Duration;
import org.springframework.util.unit.DataSize;

/** A setting that cannot be used; its message is {@code name: value (expected: …)} and is all an operator needs. */
public final class InvalidSetting extends IllegalArgumentException {
    public InvalidSetting(String name, Object value, String expected) {
        super(name + ": " + value + " (expected: " + expected + ")");
    }

    static void unlessBetween(String name, long value, long min, long max) {
        if (value < min || value > max) {
            throw new InvalidSetting(name, value, min + " to " + max);
        }
    }

    static void unlessBetween(String name, Duration value, Duration min, Duration max) {
        if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
            throw new InvalidSetting(name, shown(value), shown(min) + " to " + shown(max));
        }
    }

    static void unlessBetween(String name, DataSize value, long min, long max) {
        if (value.toBytes() < min || value.toBytes() > max) {
            throw new InvalidSetting(name, value.toBytes(), min + " to " + max + " bytes");
        }
    }

    static void ifBlank(String name, String value, String expected) {
        if (value.isBlank()) {
            throw new InvalidSetting(name, "''", expected);
        }
    }

    private static String shown(Duration d) {
        return d.toMillis() % 1000 == 0 ? d.toSeconds() + "s" : d.toMillis() + "ms";
    }
}

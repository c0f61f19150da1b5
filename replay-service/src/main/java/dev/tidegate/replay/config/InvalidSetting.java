package dev.tidegate.replay.config;

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
            throw new InvalidSetting(name, value.toMillis() + "ms", min.toMillis() + "ms to " + max.toMillis() + "ms");
        }
    }

    static void unlessBetween(String name, DataSize value, long min, long max) {
        if (value.toBytes() < min || value.toBytes() > max) {
            throw new InvalidSetting(name, value.toBytes() + " bytes", min + " to " + max + " bytes");
        }
    }
}

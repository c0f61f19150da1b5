package dev.tidegate.ingest.config;

import java.time.Duration;
import org.springframework.util.unit.DataSize;

/** What every record of settings checks with: the message of a wrong value is {@code name: value (expected: …)}. */
final class Settings {
    private Settings() {}

    static void inRange(String name, long value, long min, long max) {
        if (value < min || value > max) {
            throw wrong(name, value, min + " to " + max);
        }
    }

    static void inRange(String name, Duration value, Duration min, Duration max) {
        if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
            throw wrong(name, value, min + " to " + max);
        }
    }

    static void inRange(String name, DataSize value, long min, long max) {
        if (value.toBytes() < min || value.toBytes() > max) {
            throw wrong(name, value.toBytes(), min + " to " + max + " bytes");
        }
    }

    static void notBlank(String name, String value) {
        if (value.isBlank()) {
            throw wrong(name, "'" + value + "'", "not blank");
        }
    }

    static IllegalArgumentException wrong(String name, Object value, String expected) {
        return new IllegalArgumentException(name + ": " + value + " (expected: " + expected + ")");
    }
}

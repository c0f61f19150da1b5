package dev.tidegate.replay.api;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.time.DateTimeException;
import java.time.OffsetDateTime;
import org.jspecify.annotations.Nullable;
import org.springframework.util.MultiValueMap;

/**
 * What a person asks for: one of {@code after}, {@code last} and {@code from}; none of them means the newest {@code limit} events.
 *
 * @param after events after this cursor, or null
 * @param last the newest n events, or -1
 * @param fromMillis events from this time on, milliseconds since the epoch, or -1
 * @param limit most events; 0: not given
 */
record HistoryQuery(@Nullable Cursor after, int last, long fromMillis, int limit) {
    /** Most events of a page where no limit is given. */
    static final int DEFAULT_LIMIT = 100;

    /** @throws ProtocolException {@code bad_request}, {@code cursor_invalid} */
    static HistoryQuery of(MultiValueMap<String, String> parameters) {
        String after = single(parameters, "after");
        String last = single(parameters, "last");
        String from = single(parameters, "from");
        String limit = single(parameters, "limit");
        int given = (after == null ? 0 : 1) + (last == null ? 0 : 1) + (from == null ? 0 : 1);
        if (given > 1) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "after, last, from: " + given + " of them (expected: one)");
        }
        int most = limit == null ? 0 : (int) integer("limit", limit, 1, Integer.MAX_VALUE);
        int newest = last != null
                ? (int) integer("last", last, 0, Integer.MAX_VALUE)
                : given == 0 ? (most == 0 ? DEFAULT_LIMIT : most) : -1;
        return new HistoryQuery(after == null ? null : cursor(after), newest, from == null ? -1 : time(from), most);
    }

    private static @Nullable String single(MultiValueMap<String, String> parameters, String name) {
        var values = parameters.get(name);
        if (values == null || values.isEmpty()) {
            return null;
        }
        if (values.size() > 1) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, name + ": given " + values.size() + " times (expected: once)");
        }
        String value = values.getFirst();
        return value == null || value.isEmpty() ? null : value; // "?after=&limit=10" is what forms send
    }

    private static Cursor cursor(String text) {
        try {
            return Cursor.parse(text);
        } catch (ProtocolException e) {
            throw new ProtocolException(e.code(), e.text().replaceFirst("^cursor: ", "after: "));
        }
    }

    private static long integer(String name, String text, long min, long max) {
        try {
            long value = Long.parseLong(text);
            if (value >= min && value <= max) {
                return value;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw new ProtocolException(
                ErrorCode.BAD_REQUEST, name + ": '" + shown(text) + "' (expected: an integer of " + min + " or more)");
    }

    private static long time(String text) {
        if (!text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return integer("from", text, 0, Long.MAX_VALUE / 1_000_000);
        }
        try {
            long millis = OffsetDateTime.parse(text).toInstant().toEpochMilli();
            if (millis >= 0) {
                return millis;
            }
        } catch (DateTimeException | ArithmeticException e) {
            // told below
        }
        throw new ProtocolException(
                ErrorCode.BAD_REQUEST,
                "from: '" + shown(text)
                        + "' (expected: milliseconds since the epoch, or a time such as 2026-11-24T08:00:00Z)");
    }

    private static String shown(String text) {
        return text.length() > 40 ? text.substring(0, 40) + "…" : text;
    }
}

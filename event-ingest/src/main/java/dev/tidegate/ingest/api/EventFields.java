package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FanoutRecord.PayloadKind;
import dev.tidegate.protocol.JsonScanner;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.Utf8;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;

/** Checks the fields of an event, wherever in a request they stand. All throw {@link ProtocolException}. */
final class EventFields {
    static final String IDEMPOTENCY_KEY = "Idempotency-Key";
    static final String EVENT_TYPE = "Tidegate-Event-Type";
    static final String EVENT_ID = "Tidegate-Event-Id";

    private static final int TRACEPARENT_LENGTH = 55;

    private EventFields() {}

    /** A header that may be given once, of printable ASCII, at most {@code maxBytes}; null if it is not there. */
    static @Nullable String header(HttpHeaders headers, String name, int maxBytes) {
        List<String> values = headers.get(name);
        if (values == null || values.isEmpty()) {
            return null;
        }
        if (values.size() > 1) {
            throw bad(name + ": given " + values.size() + " times (expected: once)");
        }
        String value = values.getFirst().strip();
        if (!isPrintable(value)) {
            throw bad(name + ": a character that is not allowed (expected: printable ASCII)");
        }
        if (value.isEmpty() || value.length() > maxBytes) {
            throw bad(name + ": " + value.length() + " characters (expected: 1 to " + maxBytes + ")");
        }
        return value;
    }

    /** The idempotency key; one that is a quoted string of structured fields (RFC 9651) is what stands in the quotes. */
    static @Nullable String idempotencyKey(HttpHeaders headers, int maxBytes) {
        String value = header(headers, IDEMPOTENCY_KEY, Integer.MAX_VALUE);
        if (value == null) {
            return null;
        }
        boolean quoted = value.length() >= 2 && value.startsWith("\"") && value.endsWith("\"");
        String key = quoted ? value.substring(1, value.length() - 1) : value;
        if (key.isEmpty() || key.length() > maxBytes) {
            throw bad(IDEMPOTENCY_KEY + ": " + key.length() + " characters (expected: 1 to " + maxBytes + ")");
        }
        return key;
    }

    /** The publisher's trace context if it is one; a broken one is dropped, as its specification demands. */
    static @Nullable String traceparent(HttpHeaders headers) {
        String value = headers.getFirst(FanoutRecord.HEADER_TRACEPARENT);
        if (value == null || value.length() != TRACEPARENT_LENGTH) {
            return null;
        }
        for (int i = 0; i < TRACEPARENT_LENGTH; i++) {
            char c = value.charAt(i);
            boolean dash = i == 2 || i == 35 || i == 52;
            boolean hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            if (dash ? c != '-' : !hex) {
                return null;
            }
        }
        return value;
    }

    /**
     * The content type as it is stored: null for plain JSON, which is also what a missing one means, as in a fan-out
     * record without the header.
     */
    static @Nullable String contentType(@Nullable String given) {
        if (given == null) {
            return null;
        }
        String value = given.strip();
        int semicolon = value.indexOf(';');
        String media =
                (semicolon < 0 ? value : value.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
        int slash = media.indexOf('/');
        if (slash < 1 || slash == media.length() - 1 || !isPrintable(value)) {
            throw unsupported("Content-Type: not a media type (expected: application/json, text/plain, …)");
        }
        if (value.length() > FanoutRecord.MAX_CONTENT_TYPE_BYTES) {
            throw unsupported("Content-Type: longer than " + FanoutRecord.MAX_CONTENT_TYPE_BYTES + " bytes");
        }
        if (media.equals("application/x-www-form-urlencoded") || media.startsWith("multipart/")) {
            // What curl -d and HTML forms send unasked; taken as a payload it would reach browsers as Base64.
            throw unsupported("Content-Type: " + media
                    + " is a form, not an event (expected: application/json, text/plain, …; curl: --json)");
        }
        return media.equals("application/json") ? null : value;
    }

    /** Checks that a payload is what its content type says, and within its limit. */
    static void payload(byte[] payload, @Nullable String contentType, int maxBytes) {
        if (payload.length > maxBytes) {
            throw tooLarge(payload.length, maxBytes);
        }
        byte[] type = contentType == null ? null : contentType.getBytes(StandardCharsets.US_ASCII);
        PayloadKind kind = FanoutRecord.payloadKind(type);
        if (kind == PayloadKind.JSON) {
            int fault = JsonScanner.check(payload, 0, payload.length);
            if (fault != JsonScanner.VALID) {
                throw bad("body: not JSON at byte " + fault + " of " + payload.length
                        + " (expected: one JSON document in UTF-8, as its Content-Type says)");
            }
        } else if (kind == PayloadKind.TEXT && !Utf8.isValid(payload, 0, payload.length)) {
            throw bad("body: not UTF-8 (expected: text in UTF-8, as its Content-Type says)");
        }
    }

    static ProtocolException tooLarge(long bytes, long maxBytes) {
        return new ProtocolException(
                ErrorCode.TOO_LARGE, "body: " + bytes + " bytes (expected: at most " + maxBytes + ")");
    }

    static ProtocolException bad(String message) {
        return new ProtocolException(ErrorCode.BAD_REQUEST, message);
    }

    static ProtocolException unsupported(String message) {
        return new ProtocolException(ErrorCode.UNSUPPORTED_MEDIA_TYPE, message);
    }

    private static boolean isPrintable(String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c < 0x20 || c > 0x7e) {
                return false;
            }
        }
        return true;
    }
}

package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.session.EventPublisher.Outcome;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ServerFrames.PublishStatus;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads what ingest answers to a publish. Stateless; any thread. */
final class IngestAnswer {
    private static final JsonMapper JSON = new JsonMapper();

    private IngestAnswer() {}

    /** The outcome that an answer means. */
    static Outcome read(int status, byte[] body) {
        JsonNode json = parse(body);
        return switch (status) {
            case 200, 201, 202 -> {
                String id = text(json, "id");
                yield id == null
                        ? new Outcome.Failed(ErrorCode.INTERNAL, "ingest gave no id")
                        : accepted(id, PublishStatus.of(text(json, "status")), text(json, "cursor"));
            }
            // Not the client's fault: it is this gateway that ingest does not believe.
            case 401 -> new Outcome.Failed(ErrorCode.UNAVAILABLE, "ingest does not accept this gateway");
            default -> new Outcome.Failed(code(status, json), detail(status, json));
        };
    }

    private static Outcome accepted(String id, @Nullable PublishStatus status, @Nullable String cursor) {
        return status == null ? new Outcome.Accepted(id, cursor) : new Outcome.Accepted(id, status, cursor);
    }

    private static ErrorCode code(int status, @Nullable JsonNode json) {
        String wire = text(json, "code");
        ErrorCode byStatus = null;
        for (ErrorCode c : ErrorCode.values()) {
            if (c.wire().equals(wire) && c.httpStatus() == status) {
                return c;
            }
            if (byStatus == null && c.httpStatus() == status) {
                byStatus = c;
            }
        }
        for (ErrorCode c : ErrorCode.values()) {
            if (c.wire().equals(wire)) {
                return c; // the code says more than the status it came with
            }
        }
        if (byStatus != null) {
            return byStatus;
        }
        return status >= 500 ? ErrorCode.UNAVAILABLE : ErrorCode.BAD_REQUEST;
    }

    private static String detail(int status, @Nullable JsonNode json) {
        String detail = text(json, "detail");
        return detail == null ? "ingest answered " + status : detail;
    }

    private static @Nullable JsonNode parse(byte[] body) {
        try {
            JsonNode json = JSON.readTree(body);
            return json.isObject() ? json : null;
        } catch (JacksonException e) {
            return null; // a proxy's HTML page, or nothing: the status says enough
        }
    }

    private static @Nullable String text(@Nullable JsonNode json, String member) {
        JsonNode v = json == null ? null : json.get(member);
        return v == null || !v.isString() ? null : v.stringValue();
    }
}

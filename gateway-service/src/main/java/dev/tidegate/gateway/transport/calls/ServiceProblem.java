package dev.tidegate.gateway.transport.calls;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.JsonValue;
import dev.tidegate.protocol.ProtocolException;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads why a service refused a call of the gateway's own. Stateless. */
final class ServiceProblem {
    private ServiceProblem() {}

    /**
     * What to tell a client. Only {@code bad_request} is final: whatever else a service says, it may think better of, be it that it is
     * overloaded, that it does not believe this gateway, or that it is a proxy with a page of its own.
     */
    static ProtocolException read(String service, int status, byte[] body) {
        Map<String, JsonValue> problem = members(body);
        String detail = text(problem, "detail");
        boolean refused = ErrorCode.BAD_REQUEST.wire().equals(text(problem, "code"))
                && status == ErrorCode.BAD_REQUEST.httpStatus();
        return new ProtocolException(
                refused ? ErrorCode.BAD_REQUEST : ErrorCode.UNAVAILABLE,
                refused && detail != null
                        ? detail
                        : service + ": status " + status + (detail == null ? "" : ": " + detail));
    }

    private static Map<String, JsonValue> members(byte[] body) {
        Map<String, JsonValue> members = new HashMap<>();
        try {
            for (JsonValue.Member m : JsonValue.parse(body, 0, body.length).members()) {
                members.put(m.name(), m.value());
            }
        } catch (ProtocolException e) {
            return Map.of(); // not JSON: the status says enough
        }
        return members;
    }

    private static @Nullable String text(Map<String, JsonValue> members, String name) {
        JsonValue v = members.get(name);
        return v != null && v.kind() == JsonValue.Kind.STRING ? v.string(name) : null;
    }
}

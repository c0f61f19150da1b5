package dev.tidegate.replay.api;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.DurableCursors;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.protocol.FrameBuffer;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.replay.access.Authenticator;
import dev.tidegate.replay.cursors.CursorFilter;
import dev.tidegate.replay.cursors.CursorStore;
import dev.tidegate.replay.cursors.StoredCursor;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.util.MultiValueMap;
import org.springframework.web.server.MethodNotAllowedException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;

/**
 * Durable cursors. {@code POST /v1/cursors/ack} and {@code /find} are the gateways' calls, {@code GET} and {@code DELETE}
 * {@code /v1/cursors} the operators'; all of them want the service token, since whose cursor it is stands in the request.
 */
final class CursorHandler implements WebHandler {
    static final String PATH = "/v1/cursors";
    static final String ACK = PATH + "/ack";
    static final String FIND = PATH + "/find";

    private static final int DEFAULT_LIMIT = 100;
    private static final int MAX_LIMIT = 1_000;

    private final Authenticator authenticator;
    private final CursorStore store;
    private final Admission admission;
    private final RequestBody bodies;

    CursorHandler(Authenticator authenticator, CursorStore store, Admission admission, RequestBody bodies) {
        this.authenticator = authenticator;
        this.store = store;
        this.admission = admission;
        this.bodies = bodies;
    }

    @Override
    public Mono<Void> handle(ServerWebExchange exchange) {
        ServerHttpRequest request = exchange.getRequest();
        ServerHttpResponse response = exchange.getResponse();
        HttpMethod method = request.getMethod();
        String path = request.getPath().pathWithinApplication().value();
        return Mono.defer(() -> {
            authenticator.checkService(request.getHeaders().getFirst(HttpHeaders.AUTHORIZATION));
            if (!path.equals(PATH)) {
                return HttpMethod.POST.equals(method)
                        ? call(request, path.equals(ACK)).flatMap(body -> write(response, body))
                        : Mono.error(new MethodNotAllowedException(method, Set.of(HttpMethod.POST)));
            }
            if (HttpMethod.GET.equals(method)) {
                return list(request.getQueryParams()).flatMap(body -> write(response, body));
            }
            return HttpMethod.DELETE.equals(method)
                    ? delete(request.getQueryParams()).flatMap(body -> write(response, body))
                    : Mono.error(new MethodNotAllowedException(method, Set.of(HttpMethod.GET, HttpMethod.DELETE)));
        });
    }

    private Mono<FrameBuffer> call(ServerHttpRequest request, boolean ack) {
        return bodies.read(request).flatMap(body -> {
            FrameBuffer out = new FrameBuffer(256);
            if (ack) {
                List<DurableCursors.Ack> acks = DurableCursors.decodeAcks(body);
                return admission.run(() -> store.store(acks).map(refused -> {
                    DurableCursors.encodeStored(out, refused);
                    return out;
                }));
            }
            List<DurableCursors.CursorKey> keys = DurableCursors.decodeKeys(body);
            return admission.run(() -> store.find(keys).map(found -> {
                DurableCursors.encodeFound(out, found);
                return out;
            }));
        });
    }

    private Mono<FrameBuffer> list(MultiValueMap<String, String> query) {
        int limit = limit(query.getFirst("limit"));
        StoredCursor after = page(query.getFirst("page"));
        return admission.run(() -> store.list(filter(query), after, limit).map(found -> {
            FrameBuffer out = new FrameBuffer(1024).ascii("{\"cursors\":[");
            for (int i = 0; i < found.size(); i++) {
                StoredCursor c = found.get(i);
                out.ascii(i == 0 ? "{\"subject\":" : ",{\"subject\":").jsonString(c.subject());
                out.ascii(",\"durable\":").jsonString(c.durable());
                out.ascii(",\"channel\":").jsonString(c.channel());
                out.ascii(",\"cursor\":").jsonString(c.cursor().toString());
                out.ascii(",\"acknowledged\":").number(c.acknowledgedMillis()).raw('}');
            }
            out.raw(']');
            if (found.size() == limit) {
                out.ascii(",\"page\":").jsonString(page(found.getLast()));
            }
            return out.raw('}');
        }));
    }

    private Mono<FrameBuffer> delete(MultiValueMap<String, String> query) {
        CursorFilter filter = filter(query);
        if (filter.subject() == null) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "subject: missing (expected: whose cursors are to be deleted)");
        }
        return admission.run(() -> store.delete(filter)
                .map(deleted -> new FrameBuffer(32)
                        .ascii("{\"deleted\":")
                        .number(deleted)
                        .raw('}')));
    }

    private static CursorFilter filter(MultiValueMap<String, String> query) {
        return new CursorFilter(name(query, "subject"), name(query, "durable"), name(query, "channel"));
    }

    private static @Nullable String name(MultiValueMap<String, String> query, String field) {
        String value = query.getFirst(field);
        return value == null ? null : FanoutRecord.checkName(field, value);
    }

    private static int limit(@Nullable String value) {
        if (value == null) {
            return DEFAULT_LIMIT;
        }
        int limit = value.matches("[0-9]{1,4}") ? Integer.parseInt(value) : 0;
        if (limit < 1 || limit > MAX_LIMIT) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "limit: '" + value + "' (expected: 1 to " + MAX_LIMIT + ")");
        }
        return limit;
    }

    /** Opaque: subject, name and channel of the last one told; none of them holds a line break. */
    private static String page(StoredCursor last) {
        String text = String.join("\n", last.subject(), last.durable(), last.channel());
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static @Nullable StoredCursor page(@Nullable String token) {
        if (token == null) {
            return null;
        }
        try {
            String[] parts = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8).split("\n", -1);
            if (parts.length == 3) {
                for (String part : parts) {
                    var _ = FanoutRecord.checkName("page", part);
                }
                return new StoredCursor(parts[0], parts[1], parts[2], new Cursor("00000000", 0, 0), 0);
            }
        } catch (IllegalArgumentException e) {
            // Told below.
        }
        throw new ProtocolException(ErrorCode.BAD_REQUEST, "page: (expected: as received with the page before)");
    }

    private static Mono<Void> write(ServerHttpResponse response, FrameBuffer body) {
        byte[] bytes = body.toBytes();
        response.getHeaders().setContentType(MediaType.APPLICATION_JSON);
        response.getHeaders().setContentLength(bytes.length);
        return response.writeWith(
                Mono.fromCallable(() -> response.bufferFactory().wrap(bytes)));
    }
}

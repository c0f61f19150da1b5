package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Authenticator;
import dev.tidegate.ingest.admission.PublishPolicy;
import dev.tidegate.ingest.admission.Publisher;
import dev.tidegate.ingest.config.AdmissionSettings;
import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.IdempotencySettings;
import dev.tidegate.ingest.publish.Event;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.FanoutRecord;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.server.MethodNotAllowedException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;

/**
 * {@code POST /v1/channels/{channel}/events} and {@code POST /v1/events}. Plain web handlers and no annotated methods: to match
 * one of those was a seventh of all that a publish allocates (ADR 020).
 */
final class EventCalls {
    private static final String SUBJECT = "Tidegate-Subject";

    private final Authenticator authenticator;
    private final PublishPolicy policy;
    private final RequestBody bodies;
    private final EventIntake intake;
    private final BatchReader batches;
    private final IngestMetrics metrics;
    private final int maxPayloadBytes;
    private final int maxBatchBytes;
    private final int maxKeyBytes;

    EventCalls(
            Authenticator authenticator,
            PublishPolicy policy,
            RequestBody bodies,
            EventIntake intake,
            IngestMetrics metrics,
            FanoutSettings fanout,
            AdmissionSettings admission,
            IdempotencySettings idempotency) {
        this.authenticator = authenticator;
        this.policy = policy;
        this.bodies = bodies;
        this.intake = intake;
        this.metrics = metrics;
        this.batches = new BatchReader(admission.batchMaxItems(), admission.batchMaxChannels(), fanout.maxPayload());
        this.maxPayloadBytes = fanout.maxPayload();
        this.maxBatchBytes = Math.toIntExact(admission.batchMaxSize().toBytes());
        this.maxKeyBytes = idempotency.maxKeyBytes();
    }

    /** The calls by path. */
    Map<String, WebHandler> byPath() {
        return Map.of("/v1/channels/{channel}/events", posts(this::publish), "/v1/events", posts(this::publishAll));
    }

    private static WebHandler posts(WebHandler call) {
        return exchange -> {
            HttpMethod method = exchange.getRequest().getMethod();
            if (!HttpMethod.POST.equals(method)) {
                throw new MethodNotAllowedException(method, List.of(HttpMethod.POST));
            }
            return call.handle(exchange);
        };
    }

    /** One event; its payload is the body. */
    Mono<Void> publish(ServerWebExchange exchange) {
        ServerHttpRequest request = exchange.getRequest();
        ChannelName channel = ChannelPath.channel(request.getPath());
        return publisher(request).flatMap(who -> {
            policy.check(who, channel);
            HttpHeaders headers = request.getHeaders();
            String contentType = EventFields.contentType(headers.getFirst(HttpHeaders.CONTENT_TYPE));
            String id = EventFields.header(headers, EventFields.EVENT_ID, FanoutRecord.MAX_NAME_BYTES);
            String type = EventFields.header(headers, EventFields.EVENT_TYPE, FanoutRecord.MAX_NAME_BYTES);
            String key = EventFields.idempotencyKey(headers, maxKeyBytes);
            String traceparent = EventFields.traceparent(headers);
            return bodies.read(request, maxPayloadBytes, body -> {
                        EventFields.payload(body, contentType, maxPayloadBytes);
                        Submission s = new Submission(
                                channel, body, contentType, id, type, null, traceparent, identity(who), key);
                        return Responses.onEventLoop(request, intake.submit(s));
                    })
                    .flatMap(answer -> write(exchange, answer));
        });
    }

    private Mono<Void> write(ServerWebExchange exchange, Answer answer) {
        metrics.count(answer);
        return switch (answer) {
            case Answer.Taken t -> {
                Responses.idempotency(exchange, t.scope());
                byte[] body = t.json().getBytes(StandardCharsets.UTF_8);
                yield Responses.write(exchange, t.how().status, Responses.JSON, body);
            }
            case Answer.Refused r -> {
                Responses.idempotency(exchange, r.scope());
                yield Responses.write(exchange, r.problem());
            }
        };
    }

    /** Several events, each with its own result. */
    Mono<Void> publishAll(ServerWebExchange exchange) {
        ServerHttpRequest request = exchange.getRequest();
        return publisher(request).flatMap(who -> {
            HttpHeaders headers = request.getHeaders();
            boolean lines = isLines(headers.getFirst(HttpHeaders.CONTENT_TYPE));
            String key = EventFields.idempotencyKey(headers, maxKeyBytes);
            String traceparent = EventFields.traceparent(headers);
            return bodies.read(request, maxBatchBytes, body -> {
                        List<BatchItem> items = lines ? batches.lines(body) : batches.array(body);
                        Batch batch = Batch.of(items, policy, who, identity(who), traceparent, key);
                        return Responses.onEventLoop(
                                request, intake.submitAll(batch.submissions()).thenApply(batch::results));
                    })
                    .flatMap(results -> write(exchange, results));
        });
    }

    private Mono<Void> write(ServerWebExchange exchange, BatchResults results) {
        metrics.count(results);
        Responses.idempotency(exchange, results.scope());
        Problem nothing = results.nothingWasTaken();
        if (nothing != null) {
            return Responses.write(exchange, nothing);
        }
        boolean lines = isNdjson(exchange.getRequest().getHeaders().getFirst(HttpHeaders.ACCEPT));
        return Responses.write(exchange, 200, lines ? "application/x-ndjson" : Responses.JSON, results.body(lines));
    }

    private Mono<Publisher> publisher(ServerHttpRequest request) {
        HttpHeaders headers = request.getHeaders();
        CompletableFuture<Publisher> who =
                authenticator.authenticate(headers.getFirst(HttpHeaders.AUTHORIZATION), headers.getFirst(SUBJECT));
        return Mono.fromFuture(who, true)
                .onErrorMap(CompletionException.class, e -> e.getCause() == null ? e : e.getCause());
    }

    /**
     * Who published, as CloudEvents' extension "Auth Context" writes it; nothing for the anonymous. For those who read the
     * topic: gateways do not pass it on.
     */
    private static List<Event.Attribute> identity(Publisher who) {
        String subject = switch (who) {
            case Publisher.Anonymous a -> null;
            case Publisher.Subject s -> s.subject();
            case Publisher.Service s -> s.onBehalfOf();
        };
        return subject == null
                ? List.of()
                : List.of(new Event.Attribute("authtype", "app_user"), new Event.Attribute("authid", subject));
    }

    private static boolean isLines(@Nullable String contentType) {
        if (contentType == null || isMedia(contentType, "application/json")) {
            return false;
        }
        if (isNdjson(contentType)) {
            return true;
        }
        throw EventFields.unsupported("Content-Type: " + contentType
                + " (expected: application/json for an array of items, or application/x-ndjson)");
    }

    private static boolean isNdjson(@Nullable String contentType) {
        return contentType != null
                && (isMedia(contentType, "application/x-ndjson")
                        || isMedia(contentType, "application/ndjson")
                        || isMedia(contentType, "application/jsonl"));
    }

    private static boolean isMedia(String contentType, String media) {
        int semicolon = contentType.indexOf(';');
        String found = semicolon < 0 ? contentType : contentType.substring(0, semicolon);
        return found.strip().toLowerCase(Locale.ROOT).equals(media);
    }
}

package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Claim;
import dev.tidegate.protocol.ProblemDetails;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.reactive.AbstractServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;
import reactor.netty.http.server.HttpServerRequest;

/** Writes answers. On the connection's event loop. */
final class Responses {
    static final String IDEMPOTENCY = "Tidegate-Idempotency";
    static final String JSON = "application/json";

    private Responses() {}

    static Mono<Void> write(ServerWebExchange exchange, int status, String contentType, byte[] body) {
        ServerHttpResponse response = exchange.getResponse();
        response.setRawStatusCode(status);
        HttpHeaders headers = response.getHeaders();
        headers.set(HttpHeaders.CONTENT_TYPE, contentType);
        headers.setContentLength(body.length);
        return response.writeWith(Mono.just(response.bufferFactory().wrap(body)));
    }

    static Mono<Void> write(ServerWebExchange exchange, Problem problem) {
        HttpHeaders headers = exchange.getResponse().getHeaders();
        if (problem.retryAfterSeconds() > 0) {
            headers.set(HttpHeaders.RETRY_AFTER, Integer.toString(problem.retryAfterSeconds()));
        }
        if (problem.status() == 401) {
            headers.set(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
        }
        return write(exchange, problem.status(), ProblemDetails.MEDIA_TYPE, problem.json());
    }

    /** Tells where the idempotency key was looked up. */
    static void idempotency(ServerWebExchange exchange, Claim.@Nullable Scope scope) {
        if (scope != null) {
            exchange.getResponse().getHeaders().set(IDEMPOTENCY, scope == Claim.Scope.SHARED ? "shared" : "local");
        }
    }

    /**
     * What completes on Kafka's or Redis' thread goes on on the connection's event loop: those threads serve everybody, and the answer is
     * written there anyway.
     */
    static <T> CompletableFuture<T> onEventLoop(ServerHttpRequest request, CompletableFuture<T> future) {
        return future.isDone() ? future : future.whenCompleteAsync((x, e) -> {}, eventLoop(request));
    }

    /** The connection's event loop. */
    static ScheduledExecutorService eventLoop(ServerHttpRequest request) {
        ServerHttpRequest r = request;
        while (r instanceof ServerHttpRequestDecorator d) {
            r = d.getDelegate();
        }
        if (r instanceof AbstractServerHttpRequest a && a.getNativeRequest() instanceof HttpServerRequest n) {
            ScheduledExecutorService[] loop = new ScheduledExecutorService[1];
            n.withConnection(c -> loop[0] = c.channel().eventLoop());
            return loop[0];
        }
        throw new IllegalStateException("not served by Reactor Netty: " + r.getClass());
    }
}

package dev.tidegate.ingest.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.ErrorResponse;
import org.springframework.web.server.MethodNotAllowedException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebExceptionHandler;
import reactor.core.publisher.Mono;
import reactor.netty.channel.AbortedException;

/** Answers every failed request with problem details: those we refuse, and those that WebFlux itself cannot serve. */
@Order(-2) // before WebFlux's own handler, which answers with a status alone
final class ProblemHandler implements WebExceptionHandler {
    private static final Logger log = LoggerFactory.getLogger(ProblemHandler.class);

    private final IngestMetrics metrics;

    ProblemHandler(IngestMetrics metrics) {
        this.metrics = metrics;
    }

    @Override
    public Mono<Void> handle(ServerWebExchange exchange, Throwable error) {
        if (exchange.getResponse().isCommitted() || AbortedException.isConnectionReset(error)) {
            return Mono.error(error);
        }
        Throwable cause = error instanceof CompletionException c && c.getCause() != null ? c.getCause() : error;
        if (cause instanceof MethodNotAllowedException m) {
            exchange.getResponse().getHeaders().setAllow(m.getSupportedMethods());
        }
        Problem problem = problem(exchange.getRequest(), cause);
        metrics.count(problem);
        return Responses.write(exchange, problem);
    }

    private static Problem problem(ServerHttpRequest request, Throwable cause) {
        return switch (cause) {
            case ProtocolException e -> Problem.of(e);
            case Refusal e -> e.problem();
            case MethodNotAllowedException e ->
                new Problem(
                        405,
                        ErrorCode.BAD_REQUEST,
                        "method: " + e.getHttpMethod() + " (expected: one of " + names(e.getSupportedMethods()) + ")",
                        0);
            case ErrorResponse e when e.getStatusCode().value() == 404 -> notFound(request);
            case ErrorResponse e
            when e.getStatusCode().is4xxClientError() -> {
                String detail = e.getBody().getDetail();
                yield new Problem(
                        e.getStatusCode().value(),
                        ErrorCode.BAD_REQUEST,
                        detail == null ? "the request is malformed" : detail,
                        0);
            }
            default -> {
                log.error("{} {} failed", request.getMethod(), request.getPath(), cause);
                yield Problem.of(ErrorCode.INTERNAL, "this is our fault; it has been logged");
            }
        };
    }

    private static Problem notFound(ServerHttpRequest request) {
        String path = request.getPath().value();
        String hint = path.startsWith("/v1/channels/")
                ? " (expected: /v1/channels/{channel}/events; a '/' in a channel is written %2F)"
                : " (expected: /v1/channels/{channel}/events or /v1/events)";
        return new Problem(404, ErrorCode.BAD_REQUEST, "path: there is nothing here" + hint, 0);
    }

    private static String names(Iterable<HttpMethod> methods) {
        StringBuilder out = new StringBuilder();
        for (HttpMethod m : methods) {
            out.append(out.isEmpty() ? "" : ", ").append(m.name());
        }
        return out.toString();
    }
}

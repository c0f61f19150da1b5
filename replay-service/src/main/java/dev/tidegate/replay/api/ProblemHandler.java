package dev.tidegate.replay.api;

import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProblemDetails;
import dev.tidegate.protocol.ProtocolException;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.server.reactive.ServerHttpResponse;
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

    @Override
    public Mono<Void> handle(ServerWebExchange exchange, Throwable error) {
        if (exchange.getResponse().isCommitted() || AbortedException.isConnectionReset(error)) {
            return Mono.error(error);
        }
        return write(exchange, problem(exchange, error));
    }

    static Mono<Void> write(ServerWebExchange exchange, Problem problem) {
        ServerHttpResponse response = exchange.getResponse();
        byte[] body = problem.json();
        response.setStatusCode(HttpStatusCode.valueOf(problem.status()));
        HttpHeaders headers = response.getHeaders();
        headers.set(HttpHeaders.CONTENT_TYPE, ProblemDetails.MEDIA_TYPE);
        headers.setContentLength(body.length);
        if (problem.retryAfterSeconds() > 0) {
            headers.set(HttpHeaders.RETRY_AFTER, Integer.toString(problem.retryAfterSeconds()));
        }
        if (problem.status() == 408) {
            headers.setConnection("close"); // what of the body is still to come is no request
        }
        if (problem.status() == 401) {
            headers.set(HttpHeaders.WWW_AUTHENTICATE, "Bearer");
        }
        return response.writeWith(
                Mono.fromCallable(() -> response.bufferFactory().wrap(body)));
    }

    private static Problem problem(ServerWebExchange exchange, Throwable error) {
        return switch (error) {
            case ProtocolException e -> Problem.of(e);
            case MethodNotAllowedException e -> {
                exchange.getResponse().getHeaders().setAllow(e.getSupportedMethods());
                yield new Problem(
                        405,
                        ErrorCode.BAD_REQUEST,
                        "method: " + e.getHttpMethod() + " (expected: "
                                + e.getSupportedMethods().stream()
                                        .map(HttpMethod::name)
                                        .collect(Collectors.joining(", "))
                                + ")",
                        0);
            }
            case ErrorResponse e
            when e.getStatusCode().value() == 404 ->
                new Problem(
                        404,
                        ErrorCode.BAD_REQUEST,
                        "path: there is nothing here (expected: /v1/channels/{channel}/events, where a '/' in the channel is"
                                + " written %2F, /v1/replay or /v1/cursors)",
                        0);
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
                log.error(
                        "{} {} failed",
                        exchange.getRequest().getMethod(),
                        exchange.getRequest().getPath(),
                        error);
                yield Problem.of(ErrorCode.INTERNAL, "this is our fault; it has been logged");
            }
        };
    }
}

package dev.tidegate.replay.api;

import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.access.Authenticator;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.tiers.Answers;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.server.MethodNotAllowedException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;

/** {@code POST /v1/replay}: the gateways' call. */
final class ReplayHandler implements WebHandler {
    static final String PATH = "/v1/replay";

    private final Authenticator authenticator;
    private final Answers answers;
    private final Admission admission;
    private final RequestBody bodies;
    private final Duration maxWait;

    ReplayHandler(Authenticator authenticator, Answers answers, Admission admission, ReplaySettings settings) {
        this.authenticator = authenticator;
        this.answers = answers;
        this.admission = admission;
        this.bodies = new RequestBody(settings.admission());
        this.maxWait = settings.maxWait();
    }

    @Override
    public Mono<Void> handle(ServerWebExchange exchange) {
        ServerHttpRequest request = exchange.getRequest();
        if (!HttpMethod.POST.equals(request.getMethod())) {
            return Mono.error(new MethodNotAllowedException(request.getMethod(), Set.of(HttpMethod.POST)));
        }
        return Mono.defer(() -> {
            authenticator.checkService(request.getHeaders().getFirst(HttpHeaders.AUTHORIZATION));
            long deadline = System.nanoTime() + maxWait.toNanos();
            return bodies.read(request)
                    .map(Replay::decodeRequests)
                    .flatMap(requests -> admission.run(() -> answer(exchange, requests, deadline)));
        });
    }

    private Mono<Void> answer(ServerWebExchange exchange, List<Replay.Request> requests, long deadline) {
        ReplayCall call = new ReplayCall(answers, requests, deadline);
        exchange.getResponse().getHeaders().setContentType(MediaType.APPLICATION_NDJSON);
        return Chunks.write(exchange.getResponse(), call::next, call::done).doFinally(s -> call.cancel());
    }
}

package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.session.DurableStore;
import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.protocol.ClientFrameDecoder;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;

/**
 * What both endpoints do with a client, in this order: is the request one of theirs; is there room; what does the query
 * ask for; who is it; may it. Whatever fails is an HTTP answer with problem details; only a client that passed all of it
 * becomes a session. Runs on the connection's event loop, or, when a key set had to be fetched for the token, from there
 * on the thread that fetched it.
 */
abstract sealed class HandshakeEndpoint implements WebHandler permits SseEndpoint, WebSocketEndpoint {
    private static final String BEARER = "Bearer ";

    /** What both endpoints share. */
    record Shared(Admission admission, TokenVerifier verifier, AccessPolicy policy, TakeOver takeOver) {}

    private final Shared shared;
    private final HandshakeMeters meters;

    HandshakeEndpoint(Shared shared, HandshakeMeters meters) {
        this.shared = shared;
        this.meters = meters;
    }

    /** Null if the request is one of this endpoint's. */
    abstract @Nullable Refusal checkRequest(ServerHttpRequest request);

    /** Most channels in the query. */
    abstract int maxChannels();

    /**
     * What the client asks for, in the end.
     *
     * @throws ProtocolException if it asks for nothing, or for what cannot be
     */
    abstract List<Subscribe> subscribes(Identity who, ServerHttpRequest request, HandshakeQuery query);

    /** Hands the client over, or answers what is not for a session. */
    abstract Mono<Void> open(ServerWebExchange exchange, TakeOver takeOver, Identity who, List<Subscribe> subscribes);

    @Override
    public final Mono<Void> handle(ServerWebExchange exchange) {
        Refusal refusal = checkRequest(exchange.getRequest());
        if (refusal == null) {
            refusal = shared.admission.check();
        }
        if (refusal != null) {
            return refuse(exchange, refusal);
        }
        try {
            HandshakeQuery query =
                    HandshakeQuery.parse(exchange.getRequest().getURI().getRawQuery(), maxChannels());
            String token = token(exchange.getRequest(), query);
            if (token == null) {
                return authorise(
                        exchange, query, shared.policy.anonymousAllowed() ? Identity.ANONYMOUS : Identity.UNIDENTIFIED);
            }
            return Mono.<TokenVerifier.Verdict>create(sink -> shared.verifier.verify(token, sink::success))
                    .flatMap(verdict -> switch (verdict) {
                        case TokenVerifier.Verdict.Accepted(Identity who) -> authorise(exchange, query, who);
                        case TokenVerifier.Verdict.Rejected(String message) ->
                            refuse(exchange, Refusal.of(ErrorCode.UNAUTHENTICATED, message));
                        case TokenVerifier.Verdict.Undecided(String message) ->
                            refuse(exchange, Refusal.notNow(message));
                    });
        } catch (ProtocolException e) {
            return refuse(exchange, Refusal.of(e));
        }
    }

    /** The token, or null. A header that is no bearer's is an error unless the query has a token: a proxy may need it. */
    private static @Nullable String token(ServerHttpRequest request, HandshakeQuery query) {
        String header = request.getHeaders().getFirst(HttpHeaders.AUTHORIZATION);
        String token = query.token();
        if (header != null && header.regionMatches(true, 0, BEARER, 0, BEARER.length())) {
            token = header.substring(BEARER.length()).strip();
        } else if (header != null && token == null) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED, "Authorization: not a bearer token (expected: Bearer <token>)");
        }
        if (token != null && token.length() > ClientFrameDecoder.MAX_TOKEN_LENGTH) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED,
                    "token: longer than " + ClientFrameDecoder.MAX_TOKEN_LENGTH + " characters");
        }
        return token;
    }

    private Mono<Void> authorise(ServerWebExchange exchange, HandshakeQuery query, Identity who) {
        try {
            List<Subscribe> subscribes = subscribes(who, exchange.getRequest(), query);
            for (Subscribe s : subscribes) {
                shared.policy.checkSubscribe(who, s.channel());
                String durable = s.durable();
                if (durable != null) {
                    var _ = DurableStore.key(who, durable, s.channel());
                }
            }
            meters.opened();
            return open(exchange, shared.takeOver, who, subscribes);
        } catch (ProtocolException e) {
            return refuse(exchange, Refusal.of(e));
        }
    }

    private Mono<Void> refuse(ServerWebExchange exchange, Refusal refusal) {
        meters.refused(refusal.code());
        return refusal.write(exchange.getResponse());
    }
}

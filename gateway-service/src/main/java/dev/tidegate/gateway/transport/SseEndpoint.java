package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.gateway.session.Handshake;
import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.gateway.session.Handshake.WireFormat;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.ResumeToken;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/**
 * {@code GET /v1/sse}: an event stream as the body of an HTTP response that ends with the connection, so that nothing of
 * HTTP (chunks, pipelining, keep-alive) stands between a session and its socket.
 *
 * <p>Resuming: the {@code Last-Event-ID} header, which a browser sends by itself, counts more than {@code lastEventId} of
 * the query, and both more than {@code after} and {@code last}: a browser reconnects with the URL it first had. A channel
 * whose partition the token does not cover keeps what the URL says, or starts from now. Personal channels, which need not
 * stand in the URL, are resumed like the others. A token of before partitions were added is read by the partitions of then,
 * so that a channel that has moved is told a gap; so is every channel of a token of another topic, whose partitions say
 * nothing here.
 */
final class SseEndpoint extends HandshakeEndpoint {
    private static final String LAST_EVENT_ID = "Last-Event-ID";
    private static final String HEAD = String.join(
            "\r\n",
            "HTTP/1.1 200 OK",
            "Content-Type: text/event-stream",
            "Cache-Control: no-store",
            "Connection: close",
            "X-Accel-Buffering: no",
            "");

    private final AccessPolicy policy;
    private final Supplier<List<Integer>> layouts;
    private final Supplier<String> epoch;
    private final int maxChannels;

    SseEndpoint(
            Shared shared,
            HandshakeMeters meters,
            Supplier<List<Integer>> layouts,
            Supplier<String> epoch,
            int maxChannels) {
        super(shared, meters);
        this.policy = shared.policy();
        this.layouts = layouts;
        this.epoch = epoch;
        this.maxChannels = maxChannels;
    }

    @Override
    @Nullable
    Refusal checkRequest(ServerHttpRequest request) {
        HttpMethod method = request.getMethod();
        if (!HttpMethod.GET.equals(method) && !HttpMethod.HEAD.equals(method)) {
            return Refusal.badRequest(
                    405, "method: " + method + " (expected: GET or HEAD)", Map.of("Allow", "GET, HEAD"));
        }
        HttpHeaders h = request.getHeaders();
        if (h.getContentLength() > 0 || h.containsHeader(HttpHeaders.TRANSFER_ENCODING)) {
            return Refusal.badRequest(400, "body: not empty (expected: none)", Map.of());
        }
        return null;
    }

    @Override
    int maxChannels() {
        return maxChannels;
    }

    @Override
    List<Subscribe> subscribes(Identity who, ServerHttpRequest request, HandshakeQuery query) {
        if (!who.identified()) {
            throw new ProtocolException(
                    ErrorCode.UNAUTHENTICATED, "token: missing (expected: Authorization: Bearer, or ?token=)");
        }
        if (query.subscribes().isEmpty() && policy.personalChannels(who).isEmpty()) {
            throw new ProtocolException(
                    ErrorCode.BAD_REQUEST, "channel: missing (expected: 1 to " + maxChannels + ", ?channel=…)");
        }
        String resume = request.getHeaders().getFirst(LAST_EVENT_ID);
        if (resume == null || resume.isBlank()) {
            resume = query.lastEventId();
        }
        return resume == null || resume.isBlank()
                ? query.subscribes()
                : resumed(who, query.subscribes(), ResumeToken.parse(resume));
    }

    private List<Subscribe> resumed(Identity who, List<Subscribe> subscribes, ResumeToken token) {
        int count = partitions(who, subscribes, token);
        List<Subscribe> resumed = new ArrayList<>(subscribes.size());
        boolean foreign = !token.epoch().equals(epoch.get());
        for (Subscribe s : subscribes) {
            Cursor after = position(token, s.channel(), count, foreign);
            resumed.add(after == null ? s : new Subscribe(s.channel(), after, -1));
        }
        // The personal channels are the stream's too, so the token covers them; joined by themselves they would start
        // from now.
        for (ChannelName name : policy.personalChannels(who)) {
            Cursor after = position(token, name, count, foreign);
            if (after != null && subscribes.stream().noneMatch(s -> s.channel().equals(name))) {
                resumed.add(new Subscribe(name, after, -1));
            }
        }
        return resumed;
    }

    /** Of a channel; null if the token says nothing of it. Of another topic any position is as good: all are a gap. */
    private static @Nullable Cursor position(ResumeToken token, ChannelName channel, int partitions, boolean foreign) {
        Cursor at = token.cursor(Tail.partitionOf(channel.bytes(), partitions));
        return at == null && foreign ? token.cursor(token.offsets().firstKey()) : at;
    }

    /**
     * By how many partitions the token was made: a token names the partition of each channel of its stream. Today's number
     * where several fit, or none does because the URL is another one.
     */
    private int partitions(Identity who, List<Subscribe> subscribes, ResumeToken token) {
        List<Integer> counts = layouts.get();
        if (counts.size() > 1) {
            for (int count : counts) {
                Set<Integer> homes = new HashSet<>();
                subscribes.forEach(s -> homes.add(Tail.partitionOf(s.channel().bytes(), count)));
                policy.personalChannels(who).forEach(name -> homes.add(Tail.partitionOf(name.bytes(), count)));
                if (homes.equals(token.offsets().keySet())) {
                    return count;
                }
            }
        }
        return counts.getFirst();
    }

    @Override
    Mono<Void> open(ServerWebExchange exchange, TakeOver takeOver, Identity who, List<Subscribe> subscribes) {
        ServerHttpResponse response = exchange.getResponse();
        if (HttpMethod.HEAD.equals(exchange.getRequest().getMethod())) {
            response.getHeaders().setContentType(MediaType.TEXT_EVENT_STREAM);
            response.getHeaders().setCacheControl("no-store");
            return response.setComplete();
        }
        StringBuilder head = new StringBuilder(HEAD);
        // What the CORS processor of the handler mapping has allowed.
        response.getHeaders().forEach((name, values) -> {
            if (name.equalsIgnoreCase(HttpHeaders.VARY)
                    || name.toLowerCase(Locale.ROOT).startsWith("access-control-")) {
                head.append(name).append(": ").append(String.join(", ", values)).append("\r\n");
            }
        });
        head.append("\r\n");
        return takeOver.handOver(response, head.toString(), new Handshake(who, WireFormat.SSE, subscribes));
    }
}

package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.session.Handshake;
import dev.tidegate.gateway.session.Handshake.Subscribe;
import dev.tidegate.gateway.session.Handshake.WireFormat;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;

/**
 * {@code GET /v1/ws}: the opening handshake of RFC 6455 (4.2), done here rather than by WebFlux, which would keep a
 * session of its own (6.4 KB) for as long as the socket is open.
 */
final class WebSocketEndpoint extends HandshakeEndpoint {
    /** The subprotocol that is chosen if a client offers it. */
    static final String SUBPROTOCOL = "tidegate.v1.json";

    private static final String KEY = "Sec-WebSocket-Key";
    private static final String VERSION = "Sec-WebSocket-Version";
    private static final String PROTOCOL = "Sec-WebSocket-Protocol";
    private static final String EXTENSIONS = "Sec-WebSocket-Extensions";
    private static final int KEY_BYTES = 16;
    private static final byte[] GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11".getBytes(StandardCharsets.US_ASCII);

    private final int maxChannels;
    private final boolean compression;

    WebSocketEndpoint(Shared shared, HandshakeMeters meters, int maxChannels, boolean compression) {
        super(shared, meters);
        this.maxChannels = maxChannels;
        this.compression = compression;
    }

    @Override
    @Nullable
    Refusal checkRequest(ServerHttpRequest request) {
        HttpHeaders h = request.getHeaders();
        if (!HttpMethod.GET.equals(request.getMethod())) {
            return Refusal.badRequest(
                    405, "method: " + request.getMethod() + " (expected: GET)", Map.of("Allow", "GET"));
        }
        if (!has(h, HttpHeaders.UPGRADE, "websocket") || !has(h, HttpHeaders.CONNECTION, "upgrade")) {
            return Refusal.badRequest(
                    426,
                    "this is a WebSocket endpoint (expected: Connection: Upgrade and Upgrade: websocket)",
                    Map.of(HttpHeaders.UPGRADE, "websocket", HttpHeaders.CONNECTION, "Upgrade"));
        }
        if (!"13".equals(h.getFirst(VERSION))) {
            return Refusal.badRequest(
                    426,
                    VERSION + ": " + h.getFirst(VERSION) + " (expected: 13)",
                    Map.of(VERSION, "13", HttpHeaders.UPGRADE, "websocket", HttpHeaders.CONNECTION, "Upgrade"));
        }
        if (!isKey(h.getFirst(KEY))) {
            return Refusal.badRequest(400, KEY + ": missing or not 16 bytes in Base64", Map.of());
        }
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
        return query.subscribes();
    }

    @Override
    Mono<Void> open(ServerWebExchange exchange, TakeOver takeOver, Identity who, List<Subscribe> subscribes) {
        HttpHeaders h = exchange.getRequest().getHeaders();
        String extension = compression ? DeflateOffer.answer(h.getOrEmpty(EXTENSIONS)) : null;
        StringBuilder head = new StringBuilder(256)
                .append("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        header(head, "Sec-WebSocket-Accept", accept(String.valueOf(h.getFirst(KEY))));
        if (has(h, PROTOCOL, SUBPROTOCOL)) {
            header(head, PROTOCOL, SUBPROTOCOL);
        }
        if (extension != null) {
            header(head, EXTENSIONS, extension);
        }
        WireFormat format = extension == null ? WireFormat.WEBSOCKET : WireFormat.WEBSOCKET_DEFLATE;
        return takeOver.handOver(
                exchange.getResponse(), head.append("\r\n").toString(), new Handshake(who, format, subscribes));
    }

    private static void header(StringBuilder head, String name, String value) {
        head.append(name).append(": ").append(value).append("\r\n");
    }

    /** Whether a header that is a comma-separated list has this element. */
    private static boolean has(HttpHeaders headers, String name, String element) {
        for (String line : headers.getValuesAsList(name)) {
            if (line.equalsIgnoreCase(element)) {
                return true;
            }
        }
        return false;
    }

    private static boolean isKey(@Nullable String key) {
        if (key == null || key.length() != 24) {
            return false;
        }
        try {
            return Base64.getDecoder().decode(key).length == KEY_BYTES;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    /** RFC 6455, 4.2.2, step 5. */
    static String accept(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            sha1.update(key.getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(sha1.digest(GUID));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-1", e);
        }
    }
}

package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.auth.Identity;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.gateway.session.EventPublisher;
import dev.tidegate.protocol.ClientFrame;
import dev.tidegate.protocol.ErrorCode;
import io.netty.buffer.Unpooled;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.http.HttpHeaders;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.util.retry.Retry;

/**
 * Client publishes through the ingest service. A publish called on an event loop is sent from it and answered on it. The
 * number without an answer is bounded; what is beyond it is refused as {@code unavailable}.
 *
 * <p>A publish that carries an event id is sent again, once, when its connection breaks off before an answer: its id is
 * the idempotency key. One without an id is not: it could be stored twice.
 */
public final class HttpEventPublisher implements EventPublisher, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HttpEventPublisher.class);

    /** At most one line a minute about failures. */
    private static final long COMPLAINT_NANOS = 60_000_000_000L;

    /** The client of one loop. */
    private record Lane(EventLoop loop, HttpClient client) {}

    private final List<Lane> lanes = new ArrayList<>();
    private final List<ConnectionProvider> connections = new ArrayList<>();
    private final int maxInFlight;
    private final AtomicInteger inFlight = new AtomicInteger();
    private long complainedAt = System.nanoTime() - COMPLAINT_NANOS; // racy: a second line does no harm

    /**
     * @param eventLoops the gateway's; the connections of the settings are shared out among them
     * @param serviceToken shown to the service; null: nothing is
     */
    public HttpEventPublisher(
            List<EventLoop> eventLoops, GatewaySettings.Ingest settings, @Nullable String serviceToken) {
        this.maxInFlight = settings.inFlight();
        for (EventLoop loop : eventLoops) {
            ConnectionProvider pool = ServiceClient.pool(
                    "ingest",
                    Math.ceilDiv(settings.connections(), eventLoops.size()),
                    settings.inFlight(),
                    settings.timeout());
            connections.add(pool);
            HttpClient client = ServiceClient.on(loop, pool, settings.url(), settings.timeout(), serviceToken)
                    .headers(h -> h.set("content-type", "application/json"))
                    .disableRetry(true); // it knows nothing of ids
            lanes.add(new Lane(loop, client));
        }
    }

    @Override
    public void publish(Identity identity, ClientFrame.Publish frame, Consumer<Outcome> done) {
        Outcome.Failed refused = check("event", frame.event());
        if (refused == null) {
            refused = check("type", frame.type());
        }
        if (refused == null && inFlight.incrementAndGet() > maxInFlight) {
            inFlight.decrementAndGet();
            refused = new Outcome.Failed(
                    ErrorCode.UNAVAILABLE, "this gateway waits for " + maxInFlight + " publishes already");
        }
        if (refused != null) {
            done.accept(refused);
            return;
        }
        send(identity, frame, outcome -> {
            inFlight.decrementAndGet();
            done.accept(outcome);
        });
    }

    /** An id and a type travel as header values; what cannot be one is told to the client by name. */
    private static Outcome.@Nullable Failed check(String field, @Nullable String value) {
        if (value == null) {
            return null;
        }
        for (int i = 0; i < value.length(); i++) {
            if (value.charAt(i) < 0x20 || value.charAt(i) > 0x7e) {
                return new Outcome.Failed(
                        ErrorCode.BAD_REQUEST,
                        field + ": a character at index " + i + " that cannot be sent on (expected: printable ASCII)");
            }
        }
        return null;
    }

    private void send(Identity identity, ClientFrame.Publish frame, Consumer<Outcome> done) {
        String path = "/v1/channels/" + PercentEncoding.segment(frame.channel().value()) + "/events";
        boolean repeatable = frame.event() != null;
        var _ = client().headers(h -> headers(h, identity, frame))
                .post()
                .uri(path)
                .send(Mono.fromSupplier(() -> Unpooled.wrappedBuffer(frame.data())))
                .responseSingle((response, content) -> content.asByteArray()
                        .defaultIfEmpty(new byte[0])
                        .map(body -> IngestAnswer.read(response.status().code(), body)))
                .retryWhen(Retry.max(1)
                        .filter(e -> repeatable && CallFailures.brokeOff(e))
                        .onRetryExhaustedThrow((spec, last) -> last.failure()))
                .onErrorResume(e -> {
                    complain(e);
                    return Mono.just(new Outcome.Failed(ErrorCode.UNAVAILABLE, "ingest: " + CallFailures.told(e)));
                })
                .subscribe(done);
    }

    private HttpClient client() {
        for (Lane l : lanes) {
            if (l.loop.inEventLoop()) {
                return l.client;
            }
        }
        return lanes.get(ThreadLocalRandom.current().nextInt(lanes.size())).client;
    }

    private static void headers(HttpHeaders h, Identity identity, ClientFrame.Publish frame) {
        h.set("content-length", frame.data().length);
        String event = frame.event();
        if (event != null) {
            h.set("tidegate-event-id", event);
            h.set("idempotency-key", event);
        }
        String type = frame.type();
        if (type != null) {
            h.set("tidegate-event-type", type);
        }
        String subject = identity.subject();
        if (subject != null) {
            h.set("tidegate-subject", PercentEncoding.header(subject));
        }
    }

    private void complain(Throwable e) {
        long now = System.nanoTime();
        if (now - complainedAt >= COMPLAINT_NANOS) {
            complainedAt = now;
            LOG.warn("client publishes fail: {} (told at most once a minute)", CallFailures.told(e));
        }
    }

    /** Closes the connections; sessions are gone by then. */
    @Override
    public void close() {
        connections.forEach(ConnectionProvider::dispose);
    }
}

package dev.tidegate.testsupport;

import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * A WebSocket client for tests. It speaks the wire contract, comes back by itself (back-off with jitter, each channel {@code after} its position),
 * drops repeats by id, and checks the continuity rule on every frame it gets; {@link #violations()} must be empty at the end of a test, or the
 * product has broken its promise.
 *
 * <p>Hundreds fit into one JVM: they share one {@link HttpClient}. All methods may be called from any thread; frames are handled one at a time.
 */
public final class TidegateClient implements AutoCloseable {

    private static final Duration CONNECT_WITHIN = Duration.ofSeconds(10);

    /** Several attempts to connect: a gateway's first handshakes on a machine that starts others are slow. */
    private static final Duration CONNECTED_WITHIN = Duration.ofMinutes(1);

    private static final long BACKOFF_FIRST_MS = 50;
    private static final long BACKOFF_MOST_MS = 1_000;

    /** Violations kept; a broken server makes one a frame, and the first ones tell the story. */
    private static final int MAX_VIOLATIONS = 100;

    private static final JsonMapper JSON = JsonMapper.builder().build();
    private static final HttpClient HTTP = HttpClient.newBuilder()
            .connectTimeout(CONNECT_WITHIN)
            .executor(Executors.newVirtualThreadPerTaskExecutor())
            .build();
    private static final ScheduledExecutorService TIMER = Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tidegate-client-timer").factory());

    private final String name;
    private final Supplier<URI> endpoint;
    private final @Nullable String token;
    private final Random random;
    private final boolean reconnects;
    private final long silenceMs;
    private final @Nullable Consumer<JsonNode> listener;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private final Map<String, ChannelLedger> channels = new LinkedHashMap<>();
    private final Map<String, CompletableFuture<JsonNode>> asked = new HashMap<>();
    private final Map<String, CompletableFuture<JsonNode>> subscribing = new HashMap<>();
    /** Personal channels that the gateway joined and we have not asked for. */
    private final Set<String> joined = new HashSet<>();

    /** Personal channels whose subscription of our own is not answered yet: until then what comes belongs to the gateway's. */
    private final Set<String> superseding = new HashSet<>();

    private final List<Violation> violations = new ArrayList<>();
    private final List<JsonNode> errors = new ArrayList<>();
    private final List<Integer> closeCodes = new ArrayList<>();

    private @Nullable Connection connection;
    private @Nullable String subject;
    private long lastId;
    private int failures;
    private int connects;
    private boolean closed;

    private TidegateClient(Builder builder) {
        this.name = builder.name;
        this.endpoint = builder.endpoint;
        this.token = builder.token;
        this.random = new Random(builder.seed);
        this.reconnects = builder.reconnects;
        this.silenceMs = builder.silenceMs;
        this.listener = builder.listener;
    }

    /**
     * A client of the gateway at {@code gateway}, e.g. {@code http://127.0.0.1:8080}.
     */
    public static Builder at(String gateway) {
        return at(() -> gateway);
    }

    /** A client that asks for the gateway's address at each connect, so that it can move. */
    public static Builder at(Supplier<String> gateway) {
        return new Builder(() -> URI.create(gateway.get().replaceFirst("^http", "ws") + "/v1/ws"));
    }

    /** What can be said before the first connect. */
    public static final class Builder {
        private final Supplier<URI> endpoint;
        private String name = "client";
        private @Nullable String token;
        private long seed = 1;
        private boolean reconnects = true;
        private long silenceMs;
        private @Nullable Consumer<JsonNode> listener;

        private Builder(Supplier<URI> endpoint) {
            this.endpoint = endpoint;
        }

        /** How violations name it. */
        public Builder name(String value) {
            name = value;
            return this;
        }

        /** Sent as {@code token} query parameter. */
        public Builder token(String value) {
            token = value;
            return this;
        }

        /** Seed of the back-off's jitter. */
        public Builder seed(long value) {
            seed = value;
            return this;
        }

        /** Stays away once its connection has ended. */
        public Builder withoutReconnect() {
            reconnects = false;
            return this;
        }

        /** Bears at least so long a silence, where two heartbeats of its gateway are shorter than a pause of a busy machine. */
        public Builder bears(Duration silence) {
            silenceMs = silence.toMillis();
            return this;
        }

        /** Told every frame, in order, after the client has taken note of it; must not block. */
        public Builder listener(Consumer<JsonNode> value) {
            listener = value;
            return this;
        }

        /** Connects and waits for {@code connected}, trying again and again for at most a minute. */
        public TidegateClient connect() {
            TidegateClient client = new TidegateClient(this);
            client.open();
            client.await("connected", CONNECTED_WITHIN, client::isConnected);
            return client;
        }

        /** Begins to connect and returns at once. */
        public TidegateClient start() {
            TidegateClient client = new TidegateClient(this);
            client.open();
            return client;
        }
    }

    // ---- what a client asks ----

    /** Subscribes from now on; completes with the first {@code subscribed} frame, or fails with the {@code error} frame. */
    public CompletableFuture<JsonNode> subscribe(String channel) {
        return subscribe(channel, new ChannelLedger.Start.Now());
    }

    /** Subscribes from {@code cursor} on. */
    public CompletableFuture<JsonNode> subscribeAfter(String channel, String cursor) {
        return subscribe(channel, new ChannelLedger.Start.After(cursor));
    }

    /** Subscribes with the {@code count} newest events. */
    public CompletableFuture<JsonNode> subscribeLast(String channel, int count) {
        return subscribe(channel, new ChannelLedger.Start.Last(count));
    }

    /** Subscribes from what this client's subject acknowledged under {@code durable}. */
    public CompletableFuture<JsonNode> subscribeDurable(String channel, String durable) {
        return subscribe(channel, new ChannelLedger.Start.Durable(durable));
    }

    /** Acknowledges {@code cursor}; nothing answers but an error, which {@link #errors} then holds. */
    public void ack(String channel, String durable, String cursor) {
        sendRaw(frame("ack")
                .put("channel", channel)
                .put("durable", durable)
                .put("cursor", cursor)
                .toString());
    }

    private CompletableFuture<JsonNode> subscribe(String channel, ChannelLedger.Start start) {
        return locked(() -> {
            ChannelLedger ledger = new ChannelLedger(channel, start, (rule, frame) -> violate(channel, rule, frame));
            if (channels.containsKey(channel) && !joined.remove(channel)) {
                throw new IllegalStateException("already subscribed to " + channel);
            }
            channels.put(channel, ledger);
            CompletableFuture<JsonNode> answer = new CompletableFuture<>();
            subscribing.put(channel, answer);
            if (isConnected()) {
                sendSubscribe(ledger);
            }
            return answer;
        });
    }

    /** Unsubscribes; what was received stays readable. */
    public CompletableFuture<JsonNode> unsubscribe(String channel) {
        return ask(frame("unsubscribe").put("channel", channel));
    }

    /** Publishes through the gateway; {@code json} is the payload as JSON text. */
    public CompletableFuture<JsonNode> publish(String channel, String json) {
        ObjectNode frame = frame("publish").put("channel", channel);
        frame.set("data", JSON.readTree(json));
        return ask(frame);
    }

    /** Pings on the level of the contract. */
    public CompletableFuture<JsonNode> ping() {
        return ask(frame("ping"));
    }

    /** Sends {@code frame} with an {@code id} of ours and completes with the frame that carries the same id; fails when that is an error. */
    public CompletableFuture<JsonNode> ask(ObjectNode frame) {
        return locked(() -> {
            CompletableFuture<JsonNode> answer = new CompletableFuture<>();
            Connection current = connection;
            if (current == null || !current.connected) {
                answer.completeExceptionally(new IllegalStateException(name + " is not connected"));
                return answer;
            }
            String id = Long.toString(++lastId);
            asked.put(id, answer);
            current.send(frame.put("id", id).toString());
            return answer;
        });
    }

    /** Sends text as it stands, for frames that are wrong on purpose. */
    public void sendRaw(String text) {
        locked(() -> {
            Connection current = connection;
            if (current == null) {
                throw new IllegalStateException(name + " is not connected");
            }
            current.send(text);
            return current;
        });
    }

    /** An empty frame to fill and {@link #ask}. */
    public static ObjectNode frame(String op) {
        return JSON.createObjectNode().put("op", op);
    }

    /** Drops the connection without a word, as a lost network does; then comes back like after any loss. */
    public void cut() {
        Connection current = locked(() -> connection);
        if (current != null) {
            current.abort();
            lost(current, -1);
        }
    }

    /** Ends it for good. Idempotent. */
    @Override
    public void close() {
        Connection current = locked(() -> {
            closed = true;
            return connection;
        });
        if (current != null) {
            current.abort();
            lost(current, -1);
        }
    }

    // ---- what a test reads ----

    /** Its name, as in {@link Violation#client()}. */
    public String name() {
        return name;
    }

    /** Whether {@code connected} has been received on the present connection. */
    public boolean isConnected() {
        return locked(() -> connection != null && connection.connected);
    }

    /** Whether every channel asked for is subscribed on the present connection. */
    public boolean isWhole() {
        return locked(() -> connection != null
                && connection.connected
                && channels.values().stream().allMatch(ledger -> ledger.hasLeft() || ledger.isSubscribed()));
    }

    /** Whether the channel is subscribed on the present connection, asked for or joined by itself. */
    public boolean isSubscribed(String channel) {
        return locked(() -> {
            ChannelLedger ledger = channels.get(channel);
            return ledger != null && ledger.isSubscribed();
        });
    }

    /** Events of a channel in the order of arrival, each id once. */
    public List<ReceivedEvent> events(String channel) {
        return ofChannel(channel, ChannelLedger::events);
    }

    /** How many {@link #events} there are. */
    public int eventCount(String channel) {
        return ofChannel(channel, ChannelLedger::eventCount);
    }

    /** The gaps told. */
    public List<ReceivedGap> gaps(String channel) {
        return ofChannel(channel, ChannelLedger::gaps);
    }

    /** The position: what a next subscription would be {@code after}. */
    public @Nullable Position position(String channel) {
        return locked(() -> {
            ChannelLedger ledger = channels.get(channel);
            return ledger == null ? null : ledger.position();
        });
    }

    /** Events of all channels that came marked as replayed, each id once. */
    public long replayed() {
        return locked(() ->
                channels.values().stream().mapToLong(ChannelLedger::replayed).sum());
    }

    /** Events that came again and were dropped by id. */
    public long repeats() {
        return locked(() ->
                channels.values().stream().mapToLong(ChannelLedger::repeats).sum());
    }

    /** Events that came without a cursor. */
    public long provisional() {
        return locked(() ->
                channels.values().stream().mapToLong(ChannelLedger::provisional).sum());
    }

    /** How often it has connected, the first time included. */
    public int connects() {
        return locked(() -> connects);
    }

    /** What broke the contract, at most the first hundred. */
    public List<Violation> violations() {
        return locked(() -> List.copyOf(violations));
    }

    /** The {@code error} frames received. */
    public List<JsonNode> errors() {
        return locked(() -> List.copyOf(errors));
    }

    /** The close codes received; -1 where a connection ended without one. */
    public List<Integer> closeCodes() {
        return locked(() -> List.copyOf(closeCodes));
    }

    /** Waits until {@code condition} holds, looking again at each frame; an {@link AssertionError} names {@code what} did not come. */
    public void await(String what, Duration within, BooleanSupplier condition) {
        long deadline = System.nanoTime() + within.toNanos();
        lock.lock();
        try {
            while (!condition.getAsBoolean()) {
                long left = deadline - System.nanoTime();
                if (left <= 0) {
                    throw new AssertionError(name + ": no " + what + " within " + within + "; " + summary());
                }
                changed.awaitNanos(Math.min(left, TimeUnit.MILLISECONDS.toNanos(100)));
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(name + ": interrupted while waiting for " + what);
        } finally {
            lock.unlock();
        }
    }

    /** Waits until {@code channel} has {@code count} events. */
    public void awaitEvents(String channel, int count, Duration within) {
        await(count + " events of " + channel, within, () -> eventCount(channel) >= count);
    }

    private String summary() {
        StringBuilder text =
                new StringBuilder("connected " + isConnected() + ", close codes " + closeCodes + ", errors " + errors);
        channels.values()
                .forEach(ledger -> text.append("; ")
                        .append(ledger.channel)
                        .append(": ")
                        .append(ledger.eventCount())
                        .append(" events, position ")
                        .append(ledger.position()));
        return text + "; violations " + violations;
    }

    // ---- the connection ----

    private void open() {
        boolean gone = locked(() -> closed);
        if (gone) {
            return;
        }
        Connection next = new Connection();
        locked(() -> connection = next);
        URI uri = endpoint.get();
        if (token != null) {
            uri = URI.create(uri + "?token=" + URLEncoder.encode(token, StandardCharsets.UTF_8));
        }
        var _ = HTTP.newWebSocketBuilder()
                .connectTimeout(CONNECT_WITHIN)
                .subprotocols("tidegate.v1.json")
                .buildAsync(uri, next)
                .whenComplete((socket, failure) -> {
                    if (failure != null) {
                        lost(
                                next,
                                failure.getCause() instanceof WebSocketHandshakeException refused
                                        ? -refused.getResponse().statusCode()
                                        : -1);
                    }
                });
    }

    private void lost(Connection which, int code) {
        lock.lock();
        try {
            if (connection != which) {
                return;
            }
            connection = null;
            closeCodes.add(code);
            channels.values().forEach(ChannelLedger::onDisconnect);
            asked.values()
                    .forEach(answer ->
                            answer.completeExceptionally(new IllegalStateException(name + ": connection lost")));
            asked.clear();
            changed.signalAll();
            boolean forGood = closed || !reconnects || (code >= 4100 && code < 4200);
            if (!forGood) {
                long most = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS << Math.min(failures, 10));
                failures++;
                later(most / 2 + random.nextLong(most / 2 + 1), this::open);
            }
        } finally {
            lock.unlock();
        }
    }

    private static void later(long millis, Runnable task) {
        var _ = TIMER.schedule(() -> Thread.startVirtualThread(task), millis, TimeUnit.MILLISECONDS);
    }

    private void sendSubscribe(ChannelLedger ledger) {
        if (isPersonal(ledger.channel)) {
            superseding.add(ledger.channel);
        }
        ObjectNode frame = frame("subscribe").put("id", "s" + ++lastId).put("channel", ledger.channel);
        switch (ledger.resume()) {
            case ChannelLedger.Start.Now() -> {}
            case ChannelLedger.Start.After(String cursor) -> frame.put("after", cursor);
            case ChannelLedger.Start.Last(int count) -> frame.put("last", count);
            case ChannelLedger.Start.Durable(String name) -> frame.put("durable", name);
        }
        if (connection != null) {
            connection.send(frame.toString());
        }
    }

    private void onFrame(Connection from, String text) {
        lock.lock();
        try {
            if (connection != from) {
                return;
            }
            JsonNode frame;
            try {
                frame = JSON.readTree(text);
            } catch (JacksonException e) {
                violate("", "frame is not JSON", JSON.createObjectNode().put("text", text));
                return;
            }
            dispatch(from, frame);
            if (listener != null) {
                listener.accept(frame);
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void dispatch(Connection from, JsonNode frame) {
        String op = frame.path("op").asString("");
        String channel = frame.path("channel").asString("");
        if (!from.connected && !op.equals("connected") && !op.equals("error")) {
            violate(channel, "frame before connected", frame);
        }
        switch (op) {
            case "connected" -> onConnected(from, frame);
            case "subscribed" -> {
                if (!frame.has("id")) {
                    adopt(channel);
                } else {
                    superseding.remove(channel);
                }
                ledger(channel, frame, ledger -> ledger.onSubscribed(frame));
                CompletableFuture<JsonNode> answer = subscribing.remove(channel);
                if (answer != null) {
                    answer.complete(frame);
                }
            }
            case "event" -> ledger(channel, frame, ledger -> ledger.onEvent(frame, System.nanoTime()));
            case "position" ->
                frame.path("channels")
                        .properties()
                        .forEach(entry -> ledger(
                                entry.getKey(),
                                frame,
                                ledger -> ledger.onPosition(entry.getValue().asString(""), frame)));
            case "gap" -> ledger(channel, frame, ledger -> ledger.onGap(frame));
            case "unsubscribed" -> ledger(channel, frame, ChannelLedger::onUnsubscribed);
            case "error" -> onError(channel, frame);
            case "reconnect" ->
                later(frame.path("afterMs").asLong(0), () -> {
                    from.abort();
                    lost(from, 4001);
                });
            default -> {}
        }
        CompletableFuture<JsonNode> answer = asked.remove(frame.path("id").asString(""));
        if (answer != null) {
            if (op.equals("error")) {
                answer.completeExceptionally(new AnsweredWithError(frame));
            } else {
                answer.complete(frame);
            }
        }
    }

    /** The gateway subscribes a connection to the personal channels of its subject by itself. */
    private void adopt(String channel) {
        if (!channels.containsKey(channel) && isPersonal(channel)) {
            joined.add(channel);
            channels.put(
                    channel,
                    new ChannelLedger(
                            channel, new ChannelLedger.Start.Now(), (rule, bad) -> violate(channel, rule, bad)));
        }
    }

    private boolean isPersonal(String channel) {
        return subject != null && channel.endsWith(":" + subject);
    }

    private void onConnected(Connection from, JsonNode frame) {
        subject = frame.path("subject").asString(null);
        if (from.connected) {
            return;
        }
        from.connected = true;
        failures = 0;
        connects++;
        from.heartbeatMs = frame.path("heartbeatMs").asLong(25_000);
        channels.values().stream().filter(ledger -> !ledger.hasLeft()).forEach(this::sendSubscribe);
    }

    private void onError(String channel, JsonNode frame) {
        errors.add(frame);
        CompletableFuture<JsonNode> answer = subscribing.remove(channel);
        if (answer != null) {
            channels.remove(channel);
            answer.completeExceptionally(new AnsweredWithError(frame));
        }
    }

    private void ledger(String channel, JsonNode frame, Consumer<ChannelLedger> action) {
        if (superseding.contains(channel)) {
            return;
        }
        ChannelLedger ledger = channels.get(channel);
        if (ledger == null) {
            violate(channel, "frame for a channel that was not asked for", frame);
        } else {
            action.accept(ledger);
        }
    }

    private void violate(String channel, String rule, JsonNode frame) {
        if (violations.size() < MAX_VIOLATIONS) {
            violations.add(new Violation(name, channel, rule, frame.toString()));
        }
    }

    private <T extends @Nullable Object> T ofChannel(String channel, Function<ChannelLedger, T> read) {
        return locked(() -> {
            ChannelLedger ledger = channels.get(channel);
            if (ledger == null) {
                throw new IllegalArgumentException(name + " has not subscribed to " + channel);
            }
            return read.apply(ledger);
        });
    }

    private <T extends @Nullable Object> T locked(Supplier<T> action) {
        lock.lock();
        try {
            return action.get();
        } finally {
            lock.unlock();
        }
    }

    /** The {@code error} frame that answered a request. */
    public static final class AnsweredWithError extends RuntimeException {
        private final transient JsonNode frame;

        AnsweredWithError(JsonNode frame) {
            super(frame.toString());
            this.frame = frame;
        }

        /** The frame's {@code code}. */
        public String code() {
            return frame.path("code").asString("");
        }
    }

    /** One WebSocket from its handshake to its end. */
    private final class Connection implements WebSocket.Listener {
        private final StringBuilder partial = new StringBuilder();
        private final CompletableFuture<WebSocket> opened = new CompletableFuture<>();
        private CompletableFuture<?> sent = opened;
        private volatile long heardNanos = System.nanoTime();
        private volatile long heartbeatMs = CONNECT_WITHIN.toMillis() / 2;
        private boolean connected;

        /** Called under the client's lock; sends one after the other, as the JDK's WebSocket demands. */
        void send(String text) {
            sent = sent.thenCompose(_ -> opened.join().sendText(text, true));
        }

        void abort() {
            var _ = opened.thenAccept(WebSocket::abort);
        }

        /** Gives the connection up when nothing at all came for two heartbeats: a frozen gateway closes nothing. */
        void watch() {
            later(heartbeatMs / 4 + 1, () -> {
                boolean present = locked(() -> connection == this);
                if (!present) {
                    return;
                }
                long silence = Math.max(2 * heartbeatMs, silenceMs);
                if (System.nanoTime() - heardNanos > TimeUnit.MILLISECONDS.toNanos(silence)) {
                    abort();
                    lost(this, 4002);
                } else {
                    watch();
                }
            });
        }

        @Override
        public void onOpen(WebSocket socket) {
            opened.complete(socket);
            watch();
            socket.request(1);
        }

        @Override
        public @Nullable CompletableFuture<?> onText(WebSocket socket, CharSequence data, boolean last) {
            heardNanos = System.nanoTime();
            partial.append(data);
            if (last) {
                String text = partial.toString();
                partial.setLength(0);
                onFrame(this, text);
            }
            socket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletableFuture<?> onPing(WebSocket socket, java.nio.ByteBuffer message) {
            heardNanos = System.nanoTime();
            socket.request(1);
            return null;
        }

        @Override
        public @Nullable CompletableFuture<?> onClose(WebSocket socket, int statusCode, String reason) {
            lost(this, statusCode);
            return null;
        }

        @Override
        public void onError(WebSocket socket, Throwable error) {
            lost(this, -1);
        }
    }
}

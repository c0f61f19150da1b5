package dev.tidegate.gateway.config;

import dev.tidegate.protocol.Replay;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;

/**
 * What belongs to the gateway alone.
 *
 * @param kafka bootstrap servers of the cluster that holds the fan-out topic
 * @param transport how sockets are read and written
 * @param loops number of event loops; 0: one per core
 * @param linger records that follow each other faster than this are gathered into one batch; holds no record up for longer than twice this
 *     time, and none that comes after a pause
 * @param gather how long a batch waits at most for loops that are busy delivering, so that what arrives meanwhile goes out in one write
 * @param heartbeat time between two pings of the server
 * @param connectTimeout how long a connection that must identify itself may stay without doing so
 * @param drainTimeout the time in which connections are sent elsewhere before the server stops; few are sent faster
 * @param allowedOrigins origins that browsers may connect from, or {@code *}; empty: no cross-origin reading of event
 *     streams, and no check of the origin of WebSockets (they carry no cookies: a token is what counts)
 * @param limits bounds that protect the gateway
 * @param socket options of the server's sockets
 * @param compression permessage-deflate for WebSocket clients that offer it
 * @param ingest how client publishes reach the ingest service
 * @param replay how missed events are asked for
 * @param redis the second way for events, over Redis
 */
@ConfigurationProperties(value = "tidegate.gateway", ignoreUnknownFields = false)
public record GatewaySettings(
        @DefaultValue("127.0.0.1:9092") String kafka,
        @DefaultValue("auto") TransportKind transport,
        @DefaultValue("0") int loops,
        @DefaultValue("1500us") Duration linger,
        @DefaultValue("100ms") Duration gather,
        @DefaultValue("25s") Duration heartbeat,
        @DefaultValue("10s") Duration connectTimeout,
        @DefaultValue("10s") Duration drainTimeout,
        @DefaultValue List<String> allowedOrigins,
        @DefaultValue Limits limits,
        @DefaultValue Socket socket,
        @DefaultValue Compression compression,
        @DefaultValue Ingest ingest,
        @DefaultValue ReplayService replay,
        @DefaultValue Redis redis) {
    /** Most event loops: the interest table keeps one bit of a long for each. */
    public static final int MAX_LOOPS = 64;

    public GatewaySettings {
        InvalidSetting.ifBlank("tidegate.gateway.kafka", kafka, "host:port, …");
        InvalidSetting.unlessBetween("tidegate.gateway.loops", loops, 0, MAX_LOOPS);
        InvalidSetting.unlessBetween("tidegate.gateway.linger", linger, Duration.ZERO, Duration.ofMillis(100));
        InvalidSetting.unlessBetween("tidegate.gateway.gather", gather, Duration.ZERO, Duration.ofSeconds(1));
        InvalidSetting.unlessBetween(
                "tidegate.gateway.heartbeat", heartbeat, Duration.ofMillis(100), Duration.ofMinutes(10));
        InvalidSetting.unlessBetween(
                "tidegate.gateway.connect-timeout", connectTimeout, Duration.ofMillis(100), Duration.ofMinutes(5));
        InvalidSetting.unlessBetween(
                "tidegate.gateway.drain-timeout", drainTimeout, Duration.ZERO, Duration.ofMinutes(10));
        allowedOrigins = List.copyOf(allowedOrigins);
        for (String origin : allowedOrigins) {
            if (!origin.equals("*") && !origin.matches("https?://[^/?#]+")) {
                throw new InvalidSetting("tidegate.gateway.allowed-origins", origin, "* or scheme://host[:port]");
            }
        }
    }

    /** The number of event loops to run. */
    public int effectiveLoops() {
        return loops > 0 ? loops : Math.min(MAX_LOOPS, Runtime.getRuntime().availableProcessors());
    }

    /**
     * Bounds that protect the gateway.
     *
     * @param maxFrameBytes largest frame a client may send: a publish of the largest payload (64 KiB) with its escapes
     * @param subscriptionsPerConnection most channels of one connection
     * @param sseChannels most channels of one event stream; they all stand in one URL
     * @param connections most WebSockets and event streams at once; more are refused with 503
     * @param handshakesPerSecond handshakes taken per second over time, so that a reconnect storm does not starve the
     *     connections that are whole; more are refused with 503 and Retry-After
     * @param handshakeBurst how many may come at once
     * @param httpConnections most connections that are not (yet) a WebSocket or event stream; at the bound who has waited longest for a
     *     request gives way, after a second, else the newcomer is refused with 503
     * @param loopDelay how long tasks may wait in an event loop's queue, for five seconds on end, before the gateway sends one
     *     in a hundred of its connections elsewhere each second
     * @param conflatedSubjects most subjects of one channel whose newest event is kept for slow connections, on each loop
     * @param conflatedBytes most bytes of all newest events kept for slow connections
     */
    public record Limits(
            @DefaultValue("131072") DataSize maxFrameBytes,
            @DefaultValue("1000") int subscriptionsPerConnection,
            @DefaultValue("100") int sseChannels,
            @DefaultValue("1000000") int connections,
            @DefaultValue("10000") int handshakesPerSecond,
            @DefaultValue("20000") int handshakeBurst,
            @DefaultValue("20000") int httpConnections,
            @DefaultValue("5s") Duration loopDelay,
            @DefaultValue("1000") int conflatedSubjects,
            @DefaultValue("32MB") DataSize conflatedBytes) {
        public Limits {
            String p = "tidegate.gateway.limits.";
            InvalidSetting.unlessBetween(p + "max-frame-bytes", maxFrameBytes, 1024, 16 << 20);
            InvalidSetting.unlessBetween(p + "subscriptions-per-connection", subscriptionsPerConnection, 1, 100_000);
            InvalidSetting.unlessBetween(p + "sse-channels", sseChannels, 1, 1000);
            InvalidSetting.unlessBetween(p + "connections", connections, 1, Integer.MAX_VALUE);
            InvalidSetting.unlessBetween(p + "handshakes-per-second", handshakesPerSecond, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "handshake-burst", handshakeBurst, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "http-connections", httpConnections, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "loop-delay", loopDelay, Duration.ofMillis(100), Duration.ofHours(1));
            InvalidSetting.unlessBetween(p + "conflated-subjects", conflatedSubjects, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "conflated-bytes", conflatedBytes, 1 << 20, 1L << 40);
        }
    }

    /**
     * Options of the server's sockets. Buffer sizes of the kernel are left alone: it tunes them by itself, and idle
     * connections cost it nothing then. What is bounded is what it takes in ahead of the client (docs/adr/131).
     *
     * @param backlog connections the kernel completes ahead of us; it caps this at {@code net.core.somaxconn}
     * @param writeBufferLow bytes waiting in a connection at which it counts as drained
     * @param writeBufferHigh bytes waiting in a connection from which it counts as slow
     * @param unsent bytes of a connection that the kernel takes in and cannot send, since the client's window is full; not
     *     with the NIO transport, which cannot set it
     * @param httpIdle how long a connection that is not (yet) a WebSocket or event stream may be silent
     * @param httpHead how long the head of a request may take to arrive whole, from being accepted or from its first byte; TLS included
     */
    public record Socket(
            @DefaultValue("4096") int backlog,
            @DefaultValue("32KB") DataSize writeBufferLow,
            @DefaultValue("128KB") DataSize writeBufferHigh,
            @DefaultValue("64KB") DataSize unsent,
            @DefaultValue("30s") Duration httpIdle,
            @DefaultValue("10s") Duration httpHead) {
        public Socket {
            String p = "tidegate.gateway.socket.";
            InvalidSetting.unlessBetween(p + "backlog", backlog, 1, 1 << 20);
            InvalidSetting.unlessBetween(p + "write-buffer-low", writeBufferLow, 1, 1 << 30);
            InvalidSetting.unlessBetween(p + "write-buffer-high", writeBufferHigh, writeBufferLow.toBytes(), 1 << 30);
            InvalidSetting.unlessBetween(p + "unsent", unsent, 4096, 1 << 30);
            InvalidSetting.unlessBetween(p + "http-idle", httpIdle, Duration.ofMillis(100), Duration.ofHours(1));
            InvalidSetting.unlessBetween(p + "http-head", httpHead, Duration.ofMillis(100), Duration.ofMinutes(10));
        }
    }

    /**
     * Compression of WebSocket messages (permessage-deflate, RFC 7692) for clients that offer it. A message is compressed
     * once, on the tailer's thread, for all of its receivers. Whoever publishes secrets beside text that others choose
     * should leave it off: lengths tell, through TLS too.
     *
     * @param enabled whether offers are accepted
     * @param level zlib's: 1 (fast) to 9 (small)
     * @param threshold frames of fewer bytes go as they are
     */
    public record Compression(
            @DefaultValue("false") boolean enabled,
            @DefaultValue("6") int level,
            @DefaultValue("256") DataSize threshold) {
        public Compression {
            String p = "tidegate.gateway.compression.";
            InvalidSetting.unlessBetween(p + "level", level, 1, 9);
            InvalidSetting.unlessBetween(p + "threshold", threshold, 1, 1 << 20);
        }
    }

    /**
     * How client publishes reach the ingest service.
     *
     * @param url the service's base URL
     * @param inFlight most publishes without an answer; more are refused as {@code unavailable}
     * @param connections most connections to it
     * @param timeout how long an answer may take; longer than ingest itself waits for Kafka
     */
    public record Ingest(
            @DefaultValue("http://127.0.0.1:8081") URI url,
            @DefaultValue("4096") int inFlight,
            @DefaultValue("64") int connections,
            @DefaultValue("10s") Duration timeout) {
        public Ingest {
            String p = "tidegate.gateway.ingest.";
            ServiceUrl.check(p + "url", url);
            InvalidSetting.unlessBetween(p + "in-flight", inFlight, 1, 1_000_000);
            InvalidSetting.unlessBetween(p + "connections", connections, 1, 10_000);
            InvalidSetting.unlessBetween(p + "timeout", timeout, Duration.ofMillis(10), Duration.ofMinutes(5));
        }
    }

    /**
     * The second way for events, over Redis; its address is {@code tidegate.redis.url}.
     *
     * @param enabled whether copies of events are taken from there; without it ephemeral channels are silent
     * @param hedgeAfter how long a copy waits for Kafka while Kafka stands still, before it is delivered provisionally
     */
    public record Redis(
            @DefaultValue("true") boolean enabled,
            @DefaultValue("250ms") Duration hedgeAfter) {
        public Redis {
            InvalidSetting.unlessBetween(
                    "tidegate.gateway.redis.hedge-after", hedgeAfter, Duration.ofMillis(10), Duration.ofMinutes(1));
        }
    }

    /**
     * How missed events are asked for.
     *
     * @param url the replay service's base URL
     * @param batchWindow how long a request waits for others to travel with
     * @param callsInFlight most calls without a complete answer
     * @param queue most requests waiting for a call; more fail at once, and are tried again after a while
     * @param batch most requests of one call; 1 sends each by itself, which is there to compare with
     * @param progressTimeout how long an answer may stand still
     */
    public record ReplayService(
            @DefaultValue("http://127.0.0.1:8082") URI url,
            @DefaultValue("3ms") Duration batchWindow,
            @DefaultValue("8") int callsInFlight,
            @DefaultValue("100000") int queue,
            @DefaultValue("1024") int batch,
            @DefaultValue("15s") Duration progressTimeout) {
        public ReplayService {
            String p = "tidegate.gateway.replay.";
            ServiceUrl.check(p + "url", url);
            InvalidSetting.unlessBetween(p + "batch-window", batchWindow, Duration.ZERO, Duration.ofSeconds(1));
            InvalidSetting.unlessBetween(p + "calls-in-flight", callsInFlight, 1, 1024);
            InvalidSetting.unlessBetween(p + "queue", queue, 1, 10_000_000);
            InvalidSetting.unlessBetween(p + "batch", batch, 1, Replay.MAX_REQUESTS);
            InvalidSetting.unlessBetween(
                    p + "progress-timeout", progressTimeout, Duration.ofMillis(10), Duration.ofMinutes(10));
        }
    }
}

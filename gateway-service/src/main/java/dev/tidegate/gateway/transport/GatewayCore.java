package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.session.SessionOpener;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.IntSupplier;
import java.util.function.Supplier;

/**
 * What the edge (HTTP, handshakes, health) needs of the core (tailer, shards, sessions), and nothing more: the core knows
 * neither Spring nor Reactor.
 *
 * @param sessions takes sockets over
 * @param partitions number of partitions of the fan-out topic; 0 while it is not known, and no client is taken then
 * @param layouts the numbers of partitions that the topic has and is known to have had, the newest first
 * @param epoch the topic's; asked for only while its partitions are known
 * @param connections open WebSockets and event streams; read at each handshake, so it must be cheap; any thread
 * @param caughtUp whether the tailer stands at the end of every partition: the gateway's readiness; any thread
 * @param sources where events come from and how each source is, e.g. {@code kafka: live}; details of health; any thread
 * @param drain tells every client to reconnect elsewhere, spread over the given time, and closes it; completes when no
 *     connection is left; called once, before the server stops
 */
public record GatewayCore(
        SessionOpener sessions,
        IntSupplier partitions,
        Supplier<List<Integer>> layouts,
        Supplier<String> epoch,
        IntSupplier connections,
        BooleanSupplier caughtUp,
        Supplier<Map<String, String>> sources,
        Function<Duration, CompletionStage<?>> drain) {}

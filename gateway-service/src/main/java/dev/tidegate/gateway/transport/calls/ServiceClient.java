package dev.tidegate.gateway.transport.calls;

import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import java.net.URI;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;

/** How HTTP clients for other services are made: HTTP/1.1, kept-alive, bounded in connections and in waiting. */
final class ServiceClient {
    private static final int CONNECT_TIMEOUT_MILLIS = 3000;

    /** Shorter than the services keep an idle connection, so that few calls meet one that is being closed. */
    static final Duration MAX_IDLE = Duration.ofSeconds(20);

    /** Connections are renewed so that a service that was scaled out gets its share. */
    static final Duration MAX_LIFE = Duration.ofMinutes(5);

    private ServiceClient() {}

    /**
     * Connections for one loop.
     *
     * @param connections most of them
     * @param waiting most calls that wait for one
     * @param timeout how long they wait
     */
    static ConnectionProvider pool(String name, int connections, int waiting, Duration timeout) {
        return ConnectionProvider.builder(name)
                .maxConnections(connections)
                .pendingAcquireMaxCount(waiting)
                .pendingAcquireTimeout(timeout)
                .maxIdleTime(MAX_IDLE)
                .maxLifeTime(MAX_LIFE)
                .lifo()
                .build();
    }

    /**
     * A client on these loops.
     *
     * @param readTimeout how long an answer may stand still
     */
    static HttpClient on(
            EventLoopGroup loops,
            ConnectionProvider pool,
            URI base,
            Duration readTimeout,
            @Nullable String serviceToken) {
        HttpClient client = HttpClient.create(pool)
                .runOn(loops)
                .baseUrl(base.toString())
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, CONNECT_TIMEOUT_MILLIS)
                .option(ChannelOption.TCP_NODELAY, true)
                .responseTimeout(readTimeout);
        return serviceToken == null ? client : client.headers(h -> h.set("authorization", "Bearer " + serviceToken));
    }
}

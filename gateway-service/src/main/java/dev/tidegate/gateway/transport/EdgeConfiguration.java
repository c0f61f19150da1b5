package dev.tidegate.gateway.transport;

import dev.tidegate.gateway.auth.AccessPolicy;
import dev.tidegate.gateway.auth.TokenVerifier;
import dev.tidegate.gateway.config.GatewaySettings;
import dev.tidegate.intake.Intake;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.observation.ObservationPredicate;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.reactor.netty.NettyServerCustomizer;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.http.client.ReactorResourceFactory;
import org.springframework.http.server.reactive.observation.ServerRequestObservationContext;
import org.springframework.web.cors.CorsConfiguration;
import org.springframework.web.reactive.HandlerMapping;
import org.springframework.web.reactive.handler.SimpleUrlHandlerMapping;
import org.springframework.web.server.WebHandler;
import reactor.netty.NettyPipeline;

/** Puts the edge together: loops, server, endpoints, health. Needs a {@link GatewayCore}, a policy and a verifier. */
@Configuration(proxyBeanMethods = false)
public class EdgeConfiguration {
    static final String WS_PATH = "/v1/ws";
    static final String SSE_PATH = "/v1/sse";

    /** Bytes read from a socket at once: a handshake, or many client frames; a large publish takes a few reads. */
    private static final int READ_BUFFER = 4096;

    @Bean
    EventLoops eventLoops(GatewaySettings settings) {
        return EventLoops.start(settings.transport(), settings.effectiveLoops());
    }

    /** Reactor Netty on our loops; nothing global, since three services may live in one JVM. */
    @Bean
    ReactorResourceFactory reactorResourceFactory(EventLoops loops) {
        ReactorResourceFactory factory = new ReactorResourceFactory();
        factory.setUseGlobalResources(false);
        factory.setLoopResources(loops);
        return factory;
    }

    @Bean
    NettyServerCustomizer socketOptions(GatewaySettings settings, EventLoops loops) {
        GatewaySettings.Socket socket = settings.socket();
        WriteBufferWaterMark marks =
                new WriteBufferWaterMark((int) socket.writeBufferLow().toBytes(), (int)
                        socket.writeBufferHigh().toBytes());
        ChannelOption<Long> unsent = loops.unsentOption();
        return server -> (unsent == null
                        ? server
                        : server.childOption(unsent, socket.unsent().toBytes()))
                .option(ChannelOption.SO_BACKLOG, socket.backlog())
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.WRITE_BUFFER_WATER_MARK, marks)
                // Of a fixed size, and one for all: the default keeps an allocator and its statistics for every
                // connection.
                // A buffer lives only while bytes that have arrived are read into it.
                .childOption(ChannelOption.RECVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(READ_BUFFER))
                .idleTimeout(socket.httpIdle());
    }

    /** Who has not finished a handshake is bounded in time and number; TakeOver takes these handlers away with the others. */
    @Bean
    Intake intake(GatewaySettings settings, MeterRegistry registry) {
        Intake intake = new Intake(
                settings.limits().httpConnections(), settings.socket().httpHead());
        Gauge.builder("tidegate.gateway.http.connections", intake, Intake::connections)
                .description("Connections that are not (yet) a WebSocket or event stream")
                .register(registry);
        closed(registry, "full", intake, Intake::refused);
        closed(registry, "displaced", intake, Intake::displaced);
        closed(registry, "late", intake, Intake::late);
        return intake;
    }

    private static void closed(MeterRegistry registry, String cause, Intake intake, ToDoubleFunction<Intake> figure) {
        FunctionCounter.builder("tidegate.gateway.http.closed", intake, figure)
                .description(
                        "Connections closed before they were served: no room, room made for another, head too late")
                .tag("cause", cause)
                .register(registry);
    }

    @Bean
    NettyServerCustomizer boundedIntake(Intake intake) {
        return server -> server.doOnChannelInit(
                (observer, channel, address) -> intake.install(channel, NettyPipeline.HttpCodec));
    }

    @Bean
    NettyServerCustomizer tlsProvider() {
        return TlsProvider::tell;
    }

    /**
     * No observation of the two endpoints: their exchanges never end, and each would stay a sample of
     * {@code http.server.requests.active}, with request and exchange behind it, for ever.
     */
    @Bean
    ObservationPredicate socketsAreNotObserved() {
        return (name, context) -> !(context instanceof ServerRequestObservationContext server
                && server.getCarrier() != null
                && List.of(WS_PATH, SSE_PATH)
                        .contains(server.getCarrier().getPath().value()));
    }

    @Bean
    Admission admission(GatewayCore core, GatewaySettings settings) {
        return new Admission(core, settings.limits());
    }

    @Bean
    HandlerMapping socketEndpoints(
            GatewayCore core,
            Admission admission,
            TokenVerifier verifier,
            AccessPolicy policy,
            MeterRegistry registry,
            GatewaySettings settings) {
        HandshakeEndpoint.Shared shared =
                new HandshakeEndpoint.Shared(admission, verifier, policy, new TakeOver(core.sessions()));
        GatewaySettings.Limits limits = settings.limits();
        Map<String, WebHandler> endpoints = Map.of(
                WS_PATH,
                new WebSocketEndpoint(
                        shared,
                        new HandshakeMeters(registry, "ws"),
                        limits.subscriptionsPerConnection(),
                        settings.compression().enabled()),
                SSE_PATH,
                new SseEndpoint(
                        shared,
                        new HandshakeMeters(registry, "sse"),
                        core.layouts(),
                        core.epoch(),
                        limits.sseChannels()));
        SimpleUrlHandlerMapping mapping = new SimpleUrlHandlerMapping(endpoints, Ordered.HIGHEST_PRECEDENCE);
        if (!settings.allowedOrigins().isEmpty()) {
            mapping.setCorsConfigurations(Map.of(SSE_PATH, cors(settings), WS_PATH, cors(settings)));
        }
        return mapping;
    }

    private static CorsConfiguration cors(GatewaySettings settings) {
        CorsConfiguration cors = new CorsConfiguration();
        cors.setAllowedOrigins(settings.allowedOrigins());
        cors.setAllowedMethods(List.of("GET", "HEAD"));
        cors.setAllowedHeaders(List.of("Authorization", "Last-Event-ID", "Cache-Control"));
        cors.setMaxAge(3600L);
        return cors;
    }

    /** Readiness: whether the tailer stands at the end of every partition. */
    @Bean
    HealthIndicator tailHealthIndicator(GatewayCore core) {
        return () -> (core.caughtUp().getAsBoolean() ? Health.up() : Health.outOfService())
                .withDetails(core.sources().get())
                .withDetail("partitions", core.partitions().getAsInt())
                .withDetail("connections", core.connections().getAsInt())
                .build();
    }

    @Bean
    EdgeLifecycle edgeLifecycle(
            GatewayCore core,
            Admission admission,
            EventLoops loops,
            GatewaySettings settings,
            WebServerApplicationContext context) {
        return new EdgeLifecycle(
                core,
                admission,
                loops.transport(),
                settings.drainTimeout(),
                () -> context.getWebServer() == null
                        ? -1
                        : context.getWebServer().getPort());
    }
}

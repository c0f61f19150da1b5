package dev.tidegate.ingest.api;

import dev.tidegate.ingest.admission.Authenticator;
import dev.tidegate.ingest.admission.IdempotencyKeys;
import dev.tidegate.ingest.admission.InFlightLimit;
import dev.tidegate.ingest.admission.PublishPolicy;
import dev.tidegate.ingest.config.AdmissionSettings;
import dev.tidegate.ingest.config.FanoutSettings;
import dev.tidegate.ingest.config.IdempotencySettings;
import dev.tidegate.ingest.delivery.Deliveries;
import dev.tidegate.intake.BareRefusals;
import dev.tidegate.intake.Intake;
import io.micrometer.core.instrument.MeterRegistry;
import org.springframework.boot.reactor.netty.NettyServerCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.Ordered;
import org.springframework.web.reactive.HandlerMapping;
import org.springframework.web.reactive.handler.SimpleUrlHandlerMapping;
import reactor.netty.NettyPipeline;

/** The beans of this package. */
@Configuration(proxyBeanMethods = false)
public class ApiConfiguration {
    /** Longest request line and headers: a channel of 255 bytes, each percent-encoded, and a fat token. */
    private static final int MAX_REQUEST_LINE = 4 << 10;

    private static final int MAX_HEADERS = 16 << 10;

    @Bean
    InFlightLimit inFlightLimit(AdmissionSettings admission) {
        return new InFlightLimit(admission.maxRequests(), admission.maxSize().toBytes());
    }

    @Bean
    IngestMetrics ingestMetrics(MeterRegistry registry, InFlightLimit room) {
        return new IngestMetrics(registry, room);
    }

    @Bean
    ProblemHandler problemHandler(IngestMetrics metrics) {
        return new ProblemHandler(metrics);
    }

    @Bean
    HandlerMapping eventCalls(
            Authenticator authenticator,
            PublishPolicy policy,
            InFlightLimit room,
            IdempotencyKeys keys,
            Deliveries deliveries,
            IngestMetrics metrics,
            FanoutSettings fanout,
            AdmissionSettings admission,
            IdempotencySettings idempotency) {
        EventCalls calls = new EventCalls(
                authenticator,
                policy,
                new RequestBody(room, admission.bodyTimeout()),
                new EventIntake(keys, deliveries),
                metrics,
                fanout,
                admission,
                idempotency);
        return new SimpleUrlHandlerMapping(calls.byPath(), Ordered.HIGHEST_PRECEDENCE);
    }

    @Bean
    Intake intake(AdmissionSettings admission) {
        // As many connections as there are: publishers keep theirs, and who may connect is the network's business.
        return new Intake(Integer.MAX_VALUE, admission.bodyTimeout());
    }

    @Bean
    NettyServerCustomizer boundedRequests(Intake intake) {
        BareRefusals refusals = new BareRefusals();
        return server -> server.httpRequestDecoder(
                        spec -> spec.maxInitialLineLength(MAX_REQUEST_LINE).maxHeaderSize(MAX_HEADERS))
                .doOnChannelInit((observer, channel, address) -> {
                    channel.pipeline()
                            .addAfter(NettyPipeline.HttpCodec, "tidegate.bareRefusals", refusals)
                            .addAfter("tidegate.bareRefusals", "tidegate.unreadBodies", new UnreadBodies());
                    intake.install(channel, NettyPipeline.HttpCodec);
                });
    }
}

package dev.tidegate.replay.api;

import dev.tidegate.intake.BareRefusals;
import dev.tidegate.intake.Intake;
import dev.tidegate.replay.access.Authenticator;
import dev.tidegate.replay.access.ReadPolicy;
import dev.tidegate.replay.archive.Archive;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.cursors.CursorStore;
import dev.tidegate.replay.kafka.Tail;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.metrics.MeterNames;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.tiers.Answers;
import java.util.Map;
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
    /** Longest request line: a channel of 255 bytes, each percent-encoded, and a query. */
    private static final int MAX_REQUEST_LINE = 4 << 10;

    /** A token of 8 KiB and what a browser sends. */
    private static final int MAX_HEADERS = 16 << 10;

    @Bean
    ProblemHandler problemHandler() {
        return new ProblemHandler();
    }

    @Bean
    HandlerMapping replayCalls(
            Authenticator authenticator,
            ReadPolicy policy,
            Answers answers,
            Tail tail,
            TopicWatch watch,
            CursorStore cursors,
            Archive archive,
            ReplaySettings settings,
            ReplayMetrics metrics,
            MeterNames meters) {
        ReplaySettings.Admission bounds = settings.admission();
        Admission calls = new Admission(
                "calls", bounds.calls(), bounds.callQueue(), bounds.queueWait(), metrics.refused("replay"));
        Admission reads = new Admission(
                "reads", bounds.reads(), bounds.readQueue(), bounds.queueWait(), metrics.refused("history"));
        // As many as gateways' calls: each is one statement, and PostgreSQL's pool bounds those.
        Admission cursorCalls = new Admission(
                "cursor calls", bounds.calls(), bounds.callQueue(), bounds.queueWait(), metrics.refused("cursors"));
        CursorHandler cursorHandler = new CursorHandler(authenticator, cursors, cursorCalls, new RequestBody(bounds));
        Admission open = new Admission("open reads", bounds.open(), 0, bounds.queueWait(), metrics.refused("open"));
        gauges(meters, "replay", calls);
        gauges(meters, "cursors", cursorCalls);
        gauges(meters, "history", reads);
        gauges(meters, "open", open);
        return new SimpleUrlHandlerMapping(
                Map.of(
                        ReplayHandler.PATH,
                        new ReplayHandler(authenticator, answers, calls, settings),
                        CursorHandler.PATH,
                        cursorHandler,
                        CursorHandler.ACK,
                        cursorHandler,
                        CursorHandler.FIND,
                        cursorHandler,
                        ChannelPath.PATTERN,
                        new HistoryHandler(
                                authenticator, policy, answers, tail, watch, archive, reads, open, settings)),
                Ordered.HIGHEST_PRECEDENCE);
    }

    private static void gauges(MeterNames meters, String call, Admission admission) {
        meters.callGauge("calls.active", "Calls being answered", call, admission, Admission::inside);
        meters.callGauge("calls.waiting", "Calls waiting for their turn", call, admission, Admission::waiting);
    }

    @Bean
    Intake intake(ReplaySettings settings) {
        // As many connections as there are: gateways keep theirs, and who may connect is the network's business.
        return new Intake(Integer.MAX_VALUE, settings.admission().bodyTimeout());
    }

    @Bean
    NettyServerCustomizer boundedRequests(Intake intake) {
        BareRefusals refusals = new BareRefusals();
        return server -> server.httpRequestDecoder(
                        spec -> spec.maxInitialLineLength(MAX_REQUEST_LINE).maxHeaderSize(MAX_HEADERS))
                .doOnChannelInit((observer, channel, address) -> {
                    channel.pipeline().addAfter(NettyPipeline.HttpCodec, "tidegate.bareRefusals", refusals);
                    intake.install(channel, NettyPipeline.HttpCodec);
                });
    }
}

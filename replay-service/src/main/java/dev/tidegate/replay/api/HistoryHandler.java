package dev.tidegate.replay.api;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.ProtocolException;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.access.Authenticator;
import dev.tidegate.replay.access.ReadPolicy;
import dev.tidegate.replay.archive.Archive;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.Tail;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.recent.ChannelKey;
import dev.tidegate.replay.tiers.Answer;
import dev.tidegate.replay.tiers.Answers;
import dev.tidegate.replay.tiers.Scratch;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.server.MethodNotAllowedException;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;

/**
 * {@code GET /v1/channels/{channel}/events}: history for people. Whatever was stored before the call is in the answer: the end of the
 * log is asked for first, and then waited for, bounded. A page takes its turn to be made, a stream for each of its chunks, and neither has
 * a place while its reader takes that: so nobody is kept waiting by readers who are slow or want the whole of a huge channel.
 */
final class HistoryHandler implements WebHandler {
    private static final MediaType NDJSON = MediaType.APPLICATION_NDJSON;
    private static final Duration LOOK_WITHIN = Duration.ofSeconds(1);

    private final Authenticator authenticator;
    private final ReadPolicy policy;
    private final Answers answers;
    private final Tail tail;
    private final TopicWatch watch;
    private final Archive archive;
    private final Admission reads;
    private final Admission open;
    private final Duration maxWait;

    HistoryHandler(
            Authenticator authenticator,
            ReadPolicy policy,
            Answers answers,
            Tail tail,
            TopicWatch watch,
            Archive archive,
            Admission reads,
            Admission open,
            ReplaySettings settings) {
        this.authenticator = authenticator;
        this.policy = policy;
        this.answers = answers;
        this.tail = tail;
        this.watch = watch;
        this.archive = archive;
        this.reads = reads;
        this.open = open;
        this.maxWait = settings.maxWait();
    }

    /** A query whose channel may be read, with the namespace's limit applied. */
    private record Granted(ChannelName channel, HistoryQuery query) {}

    @Override
    public Mono<Void> handle(ServerWebExchange exchange) {
        ServerHttpRequest request = exchange.getRequest();
        if (!HttpMethod.GET.equals(request.getMethod())) {
            return Mono.error(new MethodNotAllowedException(request.getMethod(), Set.of(HttpMethod.GET)));
        }
        return Mono.defer(() -> {
            ChannelName channel = ChannelPath.channel(request.getPath().pathWithinApplication());
            HistoryQuery query = HistoryQuery.of(request.getQueryParams());
            long deadline = System.nanoTime() + maxWait.toNanos();
            return authenticator
                    .reader(request.getHeaders().getFirst(HttpHeaders.AUTHORIZATION))
                    .map(who -> {
                        int most = policy.check(who, channel);
                        return new Granted(
                                channel,
                                new HistoryQuery(
                                        query.after(),
                                        Math.min(query.last(), most),
                                        query.fromMillis(),
                                        query.limit()));
                    })
                    .flatMap(granted -> open.run(() -> isStream(request)
                            ? stream(exchange.getResponse(), granted, deadline)
                            : page(exchange.getResponse(), granted, deadline)));
        });
    }

    private static boolean isStream(ServerHttpRequest request) {
        return request.getHeaders().getAccept().stream()
                .anyMatch(t -> t.isCompatibleWith(NDJSON) && !t.isWildcardType() && !t.isWildcardSubtype());
    }

    private Mono<Void> page(ServerHttpResponse response, Granted granted, long deadline) {
        return request(granted, false).flatMap(r -> {
            Answer answer = answers.answer(r, 0, deadline, new Scratch());
            HistoryAnswer history = new HistoryAnswer(answer, r.channel(), 0);
            return reads.run(history::page)
                    .flatMap(body -> {
                        response.getHeaders().setContentType(MediaType.APPLICATION_JSON);
                        response.getHeaders().setContentLength(body.length);
                        return response.writeWith(
                                Mono.fromCallable(() -> response.bufferFactory().wrap(body)));
                    })
                    .doFinally(s -> answer.cancel());
        });
    }

    private Mono<Void> stream(ServerHttpResponse response, Granted granted, long deadline) {
        return request(granted, true).flatMap(r -> {
            Answer answer = answers.answer(r, 0, deadline, new Scratch());
            long most = granted.query().limit() == 0 ? Long.MAX_VALUE : r.limit();
            return stream(response, new HistoryAnswer(answer, r.channel(), most))
                    .doFinally(s -> answer.cancel());
        });
    }

    private Mono<Void> stream(ServerHttpResponse response, HistoryAnswer history) {
        // The first chunk is waited for before the head is sent: until then a failure still has its status.
        return reads.run(history::next).defaultIfEmpty(new byte[0]).flatMap(first -> {
            response.getHeaders().setContentType(NDJSON);
            if (history.done()) {
                response.getHeaders().setContentLength(first.length);
                return response.writeWith(
                        Mono.fromCallable(() -> response.bufferFactory().wrap(first)));
            }
            boolean[] sent = {false};
            return Chunks.write(
                    response,
                    () -> {
                        if (sent[0]) {
                            return reads.runNext(history::next);
                        }
                        sent[0] = true;
                        return Mono.just(first);
                    },
                    history::done);
        });
    }

    private Mono<Replay.Request> request(Granted granted, boolean stream) {
        Mono<Boolean> looked = Mono.fromFuture(watch.refresh(), true)
                .timeout(LOOK_WITHIN)
                .onErrorReturn(false)
                .defaultIfEmpty(false);
        return looked.flatMap(answered -> {
            TopicLog log = tail.current();
            if (log == null || log.retired()) {
                return Mono.error(
                        new ProtocolException(ErrorCode.UNAVAILABLE, "the service has not read the fan-out topic yet"));
            }
            int partition = log.topic().partitionOf(granted.channel().bytes());
            long upTo = Math.max(log.position(partition), answered ? log.end(partition) - 1 : -1);
            HistoryQuery query = granted.query();
            if (query.fromMillis() < 0) {
                return Mono.just(request(granted, log, partition, query.after(), query.last(), upTo, stream));
            }
            return since(granted.channel(), log, partition, query.fromMillis(), upTo)
                    .map(after -> request(granted, log, partition, after, -1, upTo, stream));
        });
    }

    /** The cursor behind which the first event of that time stands: as Kafka finds it, or the archive before where Kafka begins. */
    private Mono<Cursor> since(ChannelName channel, TopicLog log, int partition, long millis, long upTo) {
        return Mono.fromFuture(watch.offsetAt(log.topic(), partition, millis), true)
                .timeout(LOOK_WITHIN)
                .onErrorMap(e -> new ProtocolException(
                        ErrorCode.UNAVAILABLE, "from: Kafka cannot be asked for the offset of that time now"))
                .flatMap(found -> {
                    long first = found < 0 ? upTo + 1 : Math.min(found, upTo + 1);
                    boolean earlier = first <= log.start(partition) && archive.keeps(channel);
                    return earlier
                            ? archive.since(log.topic().epoch(), partition, ChannelKey.of(channel), 0, millis)
                                    .onErrorMap(e -> new ProtocolException(
                                            ErrorCode.UNAVAILABLE,
                                            "from: that may be in the archive, which cannot be asked now"))
                                    .defaultIfEmpty(first)
                                    .map(archived -> Math.min(archived, first))
                            : Mono.just(first);
                })
                .map(first -> log.cursor(partition, first - 1));
    }

    private static Replay.Request request(
            Granted granted, TopicLog log, int partition, @Nullable Cursor after, int last, long upTo, boolean stream) {
        int limit = granted.query().limit();
        int most = limit > 0 ? limit : stream ? Integer.MAX_VALUE : HistoryQuery.DEFAULT_LIMIT;
        // "last" is a number of events itself: a limit beside it is not needed, and a smaller one wins.
        int newest = after != null ? -1 : limit > 0 ? Math.min(last, limit) : last;
        return new Replay.Request(
                granted.channel(),
                after,
                newest,
                log.topic().epoch(),
                partition,
                upTo,
                after == null ? Math.max(1, newest) : most);
    }
}

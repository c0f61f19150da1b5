package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.ErrorCode;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.recent.ChannelKey;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * Whether a request can be answered yet: the service reads the topic that is meant, the cursor can be of that channel, and the log has been
 * read up to where events are wanted, for which it waits until the request's deadline. For one thread at a time.
 */
final class Arrival {
    static final Duration LOOK_WITHIN = Duration.ofSeconds(1);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(50);

    /** What there is to be done. */
    sealed interface State {
        /** Look again when this completes; it never fails. */
        record Wait(Mono<Void> signal) implements State {}

        /** No. */
        record Refused(ErrorCode code, String why) implements State {}

        /**
         * Yes.
         *
         * @param after the request's cursor
         * @param comparable whether that is of this topic
         */
        record Ready(TopicLog log, @Nullable Cursor after, boolean comparable) implements State {}
    }

    private final Answers answers;
    private final Replay.Request request;
    private final ChannelKey channel;
    private final long deadline;
    private @Nullable CompletableFuture<Long> logEnd; // asked of Kafka if the cursor lies ahead of what was read

    Arrival(Answers answers, Replay.Request request, ChannelKey channel, long deadline) {
        this.answers = answers;
        this.request = request;
        this.channel = channel;
        this.deadline = deadline;
    }

    State look() {
        TopicLog now = answers.tail.current();
        if (now == null || now.retired()) {
            return await(Mono.delay(LOOK_AGAIN).then(), "the service has not read the fan-out topic yet");
        }
        String epoch = now.topic().epoch();
        if (!request.epoch().equals(epoch)) {
            return await(
                    Mono.delay(LOOK_AGAIN).then(),
                    "upTo: epoch " + request.epoch() + ", but this service reads the topic of epoch " + epoch);
        }
        int partition = request.partition();
        int home = now.topic().partitionOf(channel.bytes());
        if (partition != home) {
            // Partitions have been added, and one of us does not know of it yet: asked again soon, they will agree.
            return new State.Refused(
                    ErrorCode.UNAVAILABLE,
                    "upTo: partition " + partition + ", but of the "
                            + now.topic().partitions() + " partitions this service knows, " + request.channel()
                            + " lives in " + home);
        }
        Cursor after = request.after();
        boolean comparable = after != null && after.epoch().equals(epoch);
        if (after != null && comparable && after.partition() != partition) {
            return new State.Refused(
                    ErrorCode.CURSOR_INVALID,
                    "after: " + after + " (expected: a cursor of partition " + partition + ", where "
                            + request.channel() + " lives)");
        }
        long need = after != null && comparable ? Math.max(request.upTo(), after.offset()) : request.upTo();
        if (now.position(partition) < need) {
            return behind(now, partition, after != null && comparable ? after : null, need);
        }
        return new State.Ready(now, after, comparable);
    }

    private State behind(TopicLog now, int partition, @Nullable Cursor after, long need) {
        if (after != null && after.offset() > now.position(partition)) {
            CompletableFuture<Long> asked = logEnd;
            if (asked == null) {
                asked = answers.watch.endOf(now.topic(), partition);
                logEnd = asked;
            }
            if (!asked.isDone()) {
                return await(
                        Mono.fromFuture(asked, true).timeout(LOOK_WITHIN).then(),
                        "Kafka cannot be asked whether " + after + " is in the log");
            }
            long end = asked.exceptionally(e -> Long.MAX_VALUE).getNow(Long.MAX_VALUE);
            if (after.offset() >= end) {
                return new State.Refused(
                        ErrorCode.CURSOR_INVALID,
                        "after: " + after + " lies beyond the end of the log (expected: at most "
                                + now.cursor(partition, end - 1) + ")");
            }
        }
        return await(
                now.reached(partition, need),
                "the service has read up to " + now.position(partition) + ", not yet to " + need);
    }

    private State await(Mono<Void> what, String ifTooLate) {
        long left = deadline - System.nanoTime();
        if (left <= 0) {
            return new State.Refused(ErrorCode.UNAVAILABLE, ifTooLate);
        }
        // Whatever comes of it, time included, is judged by looking again.
        return new State.Wait(what.timeout(Duration.ofNanos(left)).onErrorComplete());
    }
}

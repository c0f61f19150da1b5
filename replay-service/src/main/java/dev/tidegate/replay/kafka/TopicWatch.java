package dev.tidegate.replay.kafka;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.scheduler.Schedulers;

/**
 * Looks at the topic from outside, every so often and when asked: is it still the same one, where does each partition start
 * and end? The consumer's protocol does not tell: it goes on reading a topic that was recreated under its name. At most
 * one look is under way and one waits to begin. Results are told on the admin client's thread.
 */
public final class TopicWatch implements AutoCloseable {
    /** Is told of every look that succeeded; must not block. */
    interface Listener {
        /** The topic as it is: for each partition the first offset, and the one behind the last that can be read. */
        void looked(FanoutTopic topic, long[] starts, long[] ends);
    }

    private static final ListOffsetsOptions COMMITTED = new ListOffsetsOptions(IsolationLevel.READ_COMMITTED);

    private final Admin admin;
    private final String topicName;
    private final Duration interval;
    private volatile Listener listener = (topic, starts, ends) -> {};
    private volatile Disposable timer = Disposables.disposed();
    private volatile @Nullable FanoutTopic topic;
    private volatile boolean reachable;
    private volatile boolean closed;

    private @Nullable CompletableFuture<Boolean> running; // guarded by this
    private @Nullable CompletableFuture<Boolean> next; // guarded by this

    public TopicWatch(KafkaClients clients, String topicName, Duration interval) {
        this.admin = clients.admin();
        this.topicName = topicName;
        this.interval = interval;
    }

    void start(Listener toldTo) {
        listener = toldTo;
        timer = Schedulers.parallel().schedulePeriodically(this::tick, 0, interval.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void tick() {
        var _ = refresh();
    }

    /** The topic as last seen; null before the first look, and while there is none. */
    public @Nullable FanoutTopic topic() {
        return topic;
    }

    /** Whether the last look got an answer. */
    public boolean reachable() {
        return reachable;
    }

    /** Looks; completes with whether Kafka answered, after the look's results have been told. Never fails. */
    public synchronized CompletableFuture<Boolean> refresh() {
        if (running == null) {
            return begin(new CompletableFuture<>());
        }
        if (next == null) {
            next = new CompletableFuture<>();
        }
        return next;
    }

    private synchronized CompletableFuture<Boolean> begin(CompletableFuture<Boolean> told) {
        running = told;
        var _ = look().thenAccept(answered -> {
            CompletableFuture<Boolean> waiting;
            synchronized (this) {
                running = null;
                waiting = next;
                next = null;
                if (waiting != null) {
                    var _ = begin(waiting);
                }
            }
            told.complete(answered);
        });
        return told;
    }

    private CompletionStage<Boolean> look() {
        if (closed) {
            return CompletableFuture.completedFuture(false);
        }
        return admin.describeTopics(List.of(topicName))
                .allTopicNames()
                .toCompletionStage()
                .thenCompose(descriptions -> {
                    TopicDescription d = descriptions.get(topicName);
                    if (d == null) {
                        throw new UnknownTopicOrPartitionException(topicName);
                    }
                    return bounds(FanoutTopic.of(
                            topicName, d.topicId(), d.partitions().size()));
                })
                .handle((done, error) -> {
                    boolean missing = error != null && cause(error) instanceof UnknownTopicOrPartitionException;
                    if (missing) {
                        topic = null;
                    }
                    reachable = error == null || missing;
                    return reachable;
                });
    }

    private CompletionStage<Boolean> bounds(FanoutTopic found) {
        return offsets(found, OffsetSpec.earliest())
                .thenCombine(offsets(found, OffsetSpec.latest()), (starts, ends) -> {
                    topic = found;
                    listener.looked(found, starts, ends);
                    return true;
                });
    }

    private CompletionStage<long[]> offsets(FanoutTopic of, OffsetSpec spec) {
        Map<TopicPartition, OffsetSpec> asked = of.all().stream().collect(Collectors.toMap(p -> p, p -> spec));
        return admin.listOffsets(asked, COMMITTED).all().toCompletionStage().thenApply(answer -> {
            long[] offsets = new long[of.partitions()];
            answer.forEach((partition, info) -> offsets[partition.partition()] = info.offset());
            return offsets;
        });
    }

    /**
     * Offset behind the partition's last record, whether it can be read already or belongs to a transaction that is not
     * finished: no cursor lies beyond it.
     */
    public CompletableFuture<Long> endOf(FanoutTopic of, int partition) {
        TopicPartition tp = of.partition(partition);
        return admin.listOffsets(Map.of(tp, OffsetSpec.latest()))
                .partitionResult(tp)
                .toCompletionStage()
                .thenApply(ListOffsetsResultInfo::offset)
                .toCompletableFuture();
    }

    /** Offset of the partition's first record with at least this time stamp; -1 if there is none. */
    public CompletableFuture<Long> offsetAt(FanoutTopic of, int partition, long timestampMillis) {
        TopicPartition tp = of.partition(partition);
        return admin.listOffsets(Map.of(tp, OffsetSpec.forTimestamp(timestampMillis)), COMMITTED)
                .partitionResult(tp)
                .toCompletionStage()
                .thenApply(ListOffsetsResultInfo::offset)
                .toCompletableFuture();
    }

    private static Throwable cause(Throwable e) {
        return e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
    }

    @Override
    public void close() {
        closed = true;
        timer.dispose();
        admin.close(Duration.ofSeconds(1));
    }
}

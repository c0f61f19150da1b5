package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.archive.Archive;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.RangeScans;
import dev.tidegate.replay.kafka.Tail;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.metrics.ReplayMetrics;
import java.util.Set;

/** Where answers come from: the tiers and their bounds. Immutable; any thread. */
public final class Answers {
    final Tail tail;
    final Archive archive;
    final RangeScans scans;
    final TopicWatch watch;
    final ReplaySettings settings;
    final ReplayMetrics metrics;
    private final Set<String> notInMemory;

    /**
     * The tiers.
     *
     * @param notInMemory namespaces whose events memory does not keep
     */
    public Answers(
            Tail tail,
            Archive archive,
            RangeScans scans,
            TopicWatch watch,
            ReplaySettings settings,
            Set<String> notInMemory,
            ReplayMetrics metrics) {
        this.tail = tail;
        this.archive = archive;
        this.scans = scans;
        this.watch = watch;
        this.settings = settings;
        this.notInMemory = Set.copyOf(notInMemory);
        this.metrics = metrics;
    }

    /**
     * An answer.
     *
     * @param index the request's index in its call
     * @param deadline {@link System#nanoTime} until which the request may wait for the service to catch up
     * @param scratch the call's own
     */
    public Answer answer(Replay.Request request, int index, long deadline, Scratch scratch) {
        return new Answer(this, request, index, deadline, scratch);
    }

    boolean keptInMemory(ChannelName channel) {
        return notInMemory.isEmpty() || !notInMemory.contains(channel.namespace());
    }
}

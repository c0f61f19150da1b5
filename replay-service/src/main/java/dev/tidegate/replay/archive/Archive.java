package dev.tidegate.replay.archive;

import dev.tidegate.protocol.ChannelName;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.recent.ChannelKey;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/** What answers read of the archive: what it covers, and pages of it. Any thread; nothing blocks. */
public final class Archive implements AutoCloseable {
    private final Set<String> namespaces;
    private final Function<String, @Nullable Coverage> coverage;
    private final ArchiveReads reads;

    /**
     * The archive.
     *
     * @param namespaces those that are archived
     * @param coverage what is covered of the topic of an epoch; null if that is not known now
     */
    public Archive(
            Postgres postgres,
            Set<String> namespaces,
            Function<String, @Nullable Coverage> coverage,
            ReplaySettings.Archive settings,
            ReplayMetrics metrics) {
        this.namespaces = Set.copyOf(namespaces);
        this.coverage = coverage;
        this.reads = new ArchiveReads(postgres, settings, metrics);
    }

    /**
     * A channel's newest events in a range.
     *
     * @param found how many there are, at most as many as were asked for
     * @param oldest the offset of the oldest of them; -1 if there are none
     */
    public record Newest(int found, long oldest) {}

    /** Whether events of this channel are archived. */
    public boolean keeps(ChannelName channel) {
        return !namespaces.isEmpty() && namespaces.contains(channel.namespace());
    }

    /** What is covered of a topic; null if that is not known now, because PostgreSQL is away. */
    public @Nullable Coverage coverage(String epoch) {
        return coverage.apply(epoch);
    }

    /** Asks for a page of a covered range; what comes of it is told by the ticket. */
    public ReadTicket submit(ReadTicket.Wanted wanted) {
        return reads.submit(wanted);
    }

    /** Counts back {@code n} events of the channel from {@code last}, in a covered range. */
    public Mono<Newest> newest(String epoch, int partition, ChannelKey channel, long first, long last, int n) {
        return reads.newest(epoch, partition, channel.bytes(), first, last, n);
    }

    /** The offset of the channel's first event, from {@code first} on, whose record has at least this time stamp; or nothing. */
    public Mono<Long> since(String epoch, int partition, ChannelKey channel, long first, long timestampMillis) {
        return reads.since(epoch, partition, channel.bytes(), first, timestampMillis);
    }

    /** Queries for pages under way. */
    public int active() {
        return reads.active();
    }

    /** Requests that wait for one. */
    public int waiting() {
        return reads.waiting();
    }

    /** Bytes of pages found and not yet sent. */
    public long bufferedBytes() {
        return reads.bufferedBytes();
    }

    @Override
    public void close() {
        reads.close();
    }
}

package dev.tidegate.replay.archive;

import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.ArchiveFeed;
import dev.tidegate.replay.kafka.KafkaClients;
import dev.tidegate.replay.kafka.TopicWatch;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import java.time.Clock;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What writes and looks after the archive, from its start to its stop. Without archived namespaces it does nothing at all. */
public final class Archiving implements AutoCloseable {
    private final Set<String> namespaces;
    private final Archiver archiver;
    private final ArchiveFeed feed;
    private final ArchiveKeeper keeper;

    /**
     * An archiver with its feed and keeper; {@link #start} starts them.
     *
     * @param namespaces those that are archived
     */
    public Archiving(
            Postgres postgres,
            KafkaClients clients,
            TopicWatch watch,
            int maxPayloadBytes,
            Set<String> namespaces,
            ReplaySettings settings,
            Clock clock,
            ReplayMetrics metrics) {
        this.namespaces = Set.copyOf(namespaces);
        this.archiver = new Archiver(postgres, namespaces, settings.archive(), clock, metrics);
        this.feed = new ArchiveFeed(clients, watch, maxPayloadBytes, archiver);
        this.keeper =
                new ArchiveKeeper(postgres, settings.archive().retention(), settings.topicCheck(), watch::topic, clock);
    }

    /** Starts, if anything is to be archived. */
    public void start() {
        if (!namespaces.isEmpty()) {
            feed.start();
            keeper.start();
        }
    }

    /** What is covered of the topic of this epoch; null if that is not known now. */
    public @Nullable Coverage coverage(String epoch) {
        return keeper.coverage(epoch);
    }

    /** Records of this instance's partitions that are not archived yet; not a number while that is not known of all of them. */
    public double lagRecords(Archiver.Ends ends) {
        return feed.unplaced().partitions() > 0 ? Double.NaN : archiver.lagRecords(ends);
    }

    /** About how old the oldest of them is; while it is not known of all, for how long it has not been, if that is longer. */
    public double lagSeconds(Archiver.Ends ends) {
        ArchiveFeed.Unplaced unplaced = feed.unplaced();
        double unknown = unplaced.partitions() == 0 ? 0 : (System.nanoTime() - unplaced.since()) / 1e9;
        return Math.max(unknown, archiver.lagSeconds(ends));
    }

    /** Partitions that this instance was given and cannot archive, since it is not known where to go on. */
    public int unplaced() {
        return feed.unplaced().partitions();
    }

    /** Partitions that this instance archives. */
    public int partitions() {
        return archiver.partitions();
    }

    @Override
    public void close() {
        if (!namespaces.isEmpty()) {
            feed.close();
            keeper.close();
        }
    }
}

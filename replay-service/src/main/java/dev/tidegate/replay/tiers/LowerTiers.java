package dev.tidegate.replay.tiers;

import dev.tidegate.protocol.Replay;
import dev.tidegate.replay.archive.Coverage;
import dev.tidegate.replay.kafka.TopicLog;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.recent.ChannelKey;
import org.jspecify.annotations.Nullable;

/** The archive and Kafka as one answer uses them: who has what comes next, and the read that is under way. For one thread at a time. */
final class LowerTiers {
    private final Answers answers;
    private final ChannelKey channel;
    private final String namespace;
    private final int partition;
    private final boolean archived;

    private boolean archiveAway; // a read of it has failed
    private boolean fromArchive; // whose ticket it is
    private @Nullable ReadTicket ticket;
    private Replay.Tier deepest = Replay.Tier.MEMORY;

    LowerTiers(Answers answers, Replay.Request request, ChannelKey channel) {
        this.answers = answers;
        this.channel = channel;
        this.namespace = request.channel().namespace();
        this.partition = request.partition();
        this.archived = answers.archive.keeps(request.channel());
    }

    /** Whether retention, the archive's for channels that it keeps, has removed what stands at {@code offset}, after {@code scanned}. */
    boolean hasRemoved(TopicLog log, long scanned, long offset) {
        long start = log.start(partition);
        if (scanned + 1 >= start || offset >= start) {
            return false;
        }
        Coverage c = coverage(log);
        return !archived || (c != null && c.coveredTo(partition, namespace, scanned + 1) <= offset);
    }

    /** Who has what comes next, after {@code scanned} and up to {@code upTo}. */
    Route next(TopicLog log, long scanned, long upTo) {
        return Route.next(
                scanned, upTo, new Route.Tiers(partition, namespace, archived, coverage(log), log.start(partition)));
    }

    private @Nullable Coverage coverage(TopicLog log) {
        return archived && !archiveAway ? answers.archive.coverage(log.topic().epoch()) : null;
    }

    /** Asks the archive for a page. */
    void fetchArchive(ReadTicket.Wanted wanted) {
        used(Replay.Tier.ARCHIVE);
        fromArchive = true;
        ticket = answers.archive.submit(wanted);
    }

    /** Asks Kafka for a page. */
    void fetchKafka(TopicLog log, ReadTicket.Wanted wanted) {
        fetched(answers.scans.submit(log, wanted));
    }

    /** A read of Kafka that is under way or done. */
    void fetched(ReadTicket fromKafka) {
        used(Replay.Tier.KAFKA);
        fromArchive = false;
        ticket = fromKafka;
    }

    /** What is wanted of a page: the next events of the channel. */
    ReadTicket.Wanted wanted(TopicLog log, long after, long position, long upTo, int maxEvents, long maxBytes) {
        return new ReadTicket.Wanted(
                log.topic().epoch(), channel, partition, after, position, upTo, false, maxEvents, maxBytes);
    }

    /** The read under way. */
    ReadTicket ticket() {
        ReadTicket t = ticket;
        if (t == null) {
            throw new IllegalStateException("no ticket");
        }
        return t;
    }

    /** Whether it is one of the archive. */
    boolean isFromArchive() {
        return fromArchive;
    }

    /** The read is over; {@code failed}: the archive is not to be asked again for this page. */
    void over(boolean failed) {
        archiveAway |= failed;
        ticket = null;
    }

    /** For the next page the archive is asked again. */
    void nextPage() {
        archiveAway = false;
    }

    void cancel() {
        if (ticket != null) {
            ticket.cancel();
        }
    }

    void used(Replay.Tier tier) {
        deepest = tier.compareTo(deepest) > 0 ? tier : deepest;
    }

    /** The deepest tier that was needed so far. */
    Replay.Tier deepest() {
        return deepest;
    }
}

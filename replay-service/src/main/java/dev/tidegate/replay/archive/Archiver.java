package dev.tidegate.replay.archive;

import dev.tidegate.protocol.FanoutRecord;
import dev.tidegate.replay.archive.ArchiveStore.Move;
import dev.tidegate.replay.archive.ArchiveStore.Piece;
import dev.tidegate.replay.archive.ArchiveStore.Place;
import dev.tidegate.replay.archive.ArchiveStore.Segment;
import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.kafka.ArchiveFeed;
import dev.tidegate.replay.kafka.FanoutTopic;
import dev.tidegate.replay.kafka.NamespaceFilter;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.postgres.Postgres;
import java.time.Clock;
import java.time.Duration;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;

/**
 * Collects what the feed reads into batches and writes them.
 *
 * <pre>
 * COLLECTING  records come            -> WRITING  the batch is full, or its first record has waited for {@code linger}
 * WRITING     one transaction         -> COLLECTING  written; or somebody else had moved a partition: its place is asked for again
 *                                     -> HOLDING     PostgreSQL is away
 * HOLDING     nothing more is read    -> WRITING     a pause later
 * </pre>
 *
 * <p><b>The day</b> of a record is that of its time stamp in Kafka, but not before the day of the record before it in its partition, and
 * not after tomorrow. So days follow offsets, and forgetting a day shortens what is covered at its start and nowhere else; a producer
 * with a wrong clock cannot make it otherwise. A topic's first record is at most {@code retention} old: what is older would be dropped
 * at once.
 *
 * <p><b>Lost before it was archived.</b> If Kafka's retention was faster, reading goes on where Kafka begins now, in a new segment. The hole
 * between the two is what readers are told.
 *
 * <p><b>Memory:</b> one batch: its bounds and what one poll brings on top. The feed's thread, but for the figures.
 */
public final class Archiver implements ArchiveFeed.Sink {
    private static final Logger log = LoggerFactory.getLogger(Archiver.class);

    private static final Duration BLOCK = ArchiveStore.WRITE_WITHIN.plusSeconds(5);
    private static final long DAY_MILLIS = Duration.ofDays(1).toMillis();
    private static final long RETRY_NANOS = 500_000_000L;

    private final Postgres postgres;
    private final ArchiveStore store;
    private final Set<String> namespaces;
    private final NamespaceFilter filter;
    private final ReplaySettings.Archive settings;
    private final Clock clock;
    private final ReplayMetrics metrics;

    private final Map<Integer, Part> parts =
            new ConcurrentHashMap<>(); // written by the feed's thread, read by the figures
    private final CopyRows rows = new CopyRows();
    private final Set<LocalDate> days = new HashSet<>(); // known to have a partition; bounded by the days in use
    private byte[] epochBytes = new byte[0];
    private @Nullable FanoutTopic topic;
    private long firstAt; // System.nanoTime when the batch began, 0 while it is empty
    private long writeAgainAt;
    private boolean holding;

    /**
     * An archiver.
     *
     * @param namespaces those whose events are kept
     */
    public Archiver(
            Postgres postgres,
            Set<String> namespaces,
            ReplaySettings.Archive settings,
            Clock clock,
            ReplayMetrics metrics) {
        this.postgres = postgres;
        this.store = new ArchiveStore(postgres);
        this.namespaces = Set.copyOf(namespaces);
        this.filter = new NamespaceFilter(namespaces);
        this.settings = settings;
        this.clock = clock;
        this.metrics = metrics;
    }

    /** A partition that this instance archives: the segment that grows, and those of this batch that ended before it. */
    private static final class Part {
        final int partition;
        volatile long written; // position in the database: all before it is archived
        volatile long
                stampOfNext; // about the time stamp, in milliseconds, of the first record that is not written; 0: none
        // known
        private final List<Piece> ended = new ArrayList<>(); // where a day ended; bounded by the days of a batch
        private long first; // of the segment that grows
        private long was; // where it ends in the database; `first` if it is not there
        private long day; // its day, in days since the epoch
        private boolean empty; // no record is in it yet, so its day is not settled
        private long at; // all before it has been read
        private long lastStamp;
        private boolean stamped;

        Part(int partition, long written, long at, long day, @Nullable Segment grows) {
            this.partition = partition;
            this.written = written;
            this.at = at;
            this.day = day;
            this.first = grows == null ? at : grows.first();
            this.was = at;
            this.empty = grows == null;
        }

        void record(long offset, long of, long stamp) {
            if (!stamped) {
                stampOfNext = stamp;
                stamped = true;
            }
            lastStamp = stamp;
            if (of > day) {
                if (!empty) {
                    if (offset > was) {
                        ended.add(new Piece(partition, first, was, offset, LocalDate.ofEpochDay(day)));
                    }
                    first = offset;
                    was = offset;
                }
                day = of;
            }
            empty = false;
            at = offset + 1;
        }

        boolean hasMoved() {
            return at > written;
        }

        List<Piece> pieces() {
            List<Piece> all = new ArrayList<>(ended);
            if (at > was) {
                all.add(new Piece(partition, first, was, at, LocalDate.ofEpochDay(day)));
            }
            return all;
        }

        void isWritten() {
            written = at;
            was = Math.max(was, at);
            ended.clear();
            stampOfNext = lastStamp;
            stamped = false;
        }
    }

    @Override
    public boolean wants(byte[] key) {
        return filter.matches(key);
    }

    // ---- placing

    @Override
    public Map<Integer, Long> place(FanoutTopic of, Set<Integer> partitions, ArchiveFeed.Log kafka) {
        if (topic == null || !topic.epoch().equals(of.epoch())) {
            reset();
            topic = of;
            epochBytes = CopyRows.text(of.epoch());
        }
        Map<Integer, Place> known = block(store.places(of.epoch(), partitions));
        Map<Integer, Long> fresh = new HashMap<>();
        for (int p : partitions) {
            if (!known.containsKey(p)) {
                long oldest =
                        oldestKept().atStartOfDay(ZoneOffset.UTC).toInstant().toEpochMilli();
                fresh.put(p, Math.max(kafka.start(p), kafka.at(p, oldest)));
            }
        }
        if (!fresh.isEmpty()) {
            block(store.begin(of.epoch(), fresh).thenReturn(true));
            known = block(store.places(of.epoch(), partitions));
        }
        Map<Integer, Long> places = new HashMap<>();
        known.forEach((p, place) -> {
            long start = kafka.start(p);
            long end = kafka.end(p);
            if (place.next() > end) {
                // For a moment after a change of the leader; for longer if the log was cut (an unclean election).
                log.debug("Partition {} ends at {}, archived is up to {}: waiting", p, end, place.next());
                return;
            }
            if (place.next() < start) {
                metrics.archiveExpired.add(start - place.next());
                log.warn(
                        "Partition {}: offsets {} to {} had expired in Kafka before they were archived; replays will tell that gap",
                        p,
                        place.next(),
                        start - 1);
            }
            places.put(p, begin(p, place, Math.max(place.next(), start)));
        });
        return places;
    }

    private long begin(int partition, Place place, long at) {
        Segment last = place.last();
        LocalDate day = oldestKept();
        Segment open = null;
        if (last != null && last.day().compareTo(day) >= 0) {
            day = last.day();
            open = last.next() == at && Set.copyOf(last.namespaces()).equals(namespaces) ? last : null;
        }
        parts.put(partition, new Part(partition, place.next(), at, day.toEpochDay(), open));
        return at;
    }

    // ---- collecting

    @Override
    public void record(int partition, long offset, long timestampMillis, @Nullable FanoutRecord event) {
        Part part = parts.get(partition);
        if (part == null) {
            throw new IllegalStateException("partition " + partition + " has no place");
        }
        part.record(offset, dayOf(timestampMillis), timestampMillis);
        if (event != null) {
            rows.add(epochBytes, partition, offset, part.day, timestampMillis, event);
        }
    }

    /** Not after tomorrow. For every record of the topic, so nothing is allocated. */
    private long dayOf(long millis) {
        long tomorrow = Math.floorDiv(clock.millis(), DAY_MILLIS) + 1;
        return Math.clamp(Math.floorDiv(millis, DAY_MILLIS), 0, tomorrow);
    }

    /** The day of a time stamp. */
    static LocalDate day(long millis) {
        return LocalDate.ofEpochDay(Math.floorDiv(millis, DAY_MILLIS));
    }

    @Override
    public void passed(int partition, long next) {
        Part part = parts.get(partition);
        if (part != null && next > part.at) {
            part.at = next;
        }
        if (firstAt == 0 && part != null && part.hasMoved()) {
            firstAt = System.nanoTime() | 1;
        }
    }

    // ---- writing

    @Override
    public boolean due() {
        if (firstAt == 0) {
            return false;
        }
        long now = System.nanoTime();
        return holding
                ? now - writeAgainAt >= 0
                : rows.count() >= settings.batchEvents()
                        || rows.bytes() >= settings.batchBytes().toBytes()
                        || now - firstAt >= settings.linger().toNanos();
    }

    @Override
    public boolean holding() {
        return holding;
    }

    @Override
    public Set<Integer> write() {
        FanoutTopic of = Objects.requireNonNull(topic);
        List<Move> moves = new ArrayList<>();
        List<Piece> pieces = new ArrayList<>();
        for (Part part : parts.values()) {
            if (part.hasMoved()) {
                moves.add(new Move(part.partition, part.written, part.at));
                pieces.addAll(part.pieces());
            }
        }
        try {
            addDays(pieces);
            if (block(store.write(of.epoch(), moves, pieces, namespaces, rows))) {
                metrics.archiveEvents.add(rows.count());
                metrics.archiveBatches.increment();
                parts.values().forEach(part -> {
                    if (part.hasMoved()) {
                        part.isWritten();
                    }
                });
                clear();
                return Set.of();
            }
            log.info("Another instance archives partitions of this one's: asking for their places again");
            Set<Integer> all = Set.copyOf(parts.keySet());
            reset();
            return all;
        } catch (RuntimeException e) {
            metrics.archiveFailures.increment();
            days.clear(); // one may be missing
            holding = true;
            writeAgainAt = System.nanoTime() + RETRY_NANOS;
            log.debug("A batch of {} events could not be archived; trying again", rows.count(), e);
            return Set.of();
        }
    }

    private void addDays(List<Piece> pieces) {
        Set<LocalDate> missing = new HashSet<>();
        pieces.forEach(p -> missing.add(p.day()));
        missing.removeAll(days);
        if (!missing.isEmpty()) {
            block(ArchiveDays.add(postgres, missing).thenReturn(true));
            days.removeIf(d -> d.isBefore(oldestKept()));
            days.addAll(missing);
        }
    }

    @Override
    public void reset() {
        parts.clear();
        clear();
    }

    private void clear() {
        rows.clear();
        holding = false;
        firstAt = 0;
    }

    // ---- figures; any thread

    /** Where the topic ends, as far as is known. */
    public interface Ends {
        long end(int partition);
    }

    /** Records of this instance's partitions that were not archived yet, whatever their namespace. */
    public long lagRecords(Ends ends) {
        long lag = 0;
        for (Part part : parts.values()) {
            lag += Math.max(0, ends.end(part.partition) - part.written);
        }
        return lag;
    }

    /** About how old the oldest record is that was not archived yet; 0 if there is none. */
    public double lagSeconds(Ends ends) {
        long oldest = Long.MAX_VALUE;
        for (Part part : parts.values()) {
            if (ends.end(part.partition) > part.written && part.stampOfNext > 0) {
                oldest = Math.min(oldest, part.stampOfNext);
            }
        }
        return oldest == Long.MAX_VALUE ? 0 : Math.max(0, clock.millis() - oldest) / 1000.0;
    }

    /** Partitions that this instance archives. */
    public int partitions() {
        return parts.size();
    }

    private LocalDate today() {
        return LocalDate.ofInstant(clock.instant(), ZoneOffset.UTC);
    }

    private LocalDate oldestKept() {
        return ArchiveDays.oldestKept(today(), settings.retention());
    }

    private static <T> T block(Mono<T> work) {
        return Objects.requireNonNull(work.block(BLOCK));
    }
}

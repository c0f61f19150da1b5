package dev.tidegate.replay.archive;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which offsets of each partition of one topic the archive has looked at, and for which namespaces, as it was at a moment. What is in
 * none of its ranges was not archived: that there is no row for it says nothing. It may be a little old: ranges only grow at
 * their end, and a range is given up at its start a while before its events go ({@link ArchiveDays}). Immutable.
 */
public final class Coverage {
    private final String epoch;
    private final Map<Integer, List<Range>> ranges;
    private final long asOf;

    /**
     * Offsets of a partition that were looked at.
     *
     * @param first the first
     * @param next the one behind the last
     * @param namespaces those whose events were kept
     */
    public record Range(int partition, long first, long next, Set<String> namespaces) {}

    /**
     * What is covered.
     *
     * @param ranges of one partition they do not overlap
     * @param asOf {@link System#nanoTime} before it was asked for
     */
    public Coverage(String epoch, List<Range> ranges, long asOf) {
        this.epoch = epoch;
        this.asOf = asOf;
        Map<Integer, List<Range>> byPartition = new HashMap<>();
        ranges.stream()
                .sorted(Comparator.comparingLong(Range::first))
                .forEach(r -> byPartition
                        .computeIfAbsent(r.partition(), p -> new ArrayList<>())
                        .add(r));
        this.ranges = Map.copyOf(byPartition);
    }

    String epoch() {
        return epoch;
    }

    long asOf() {
        return asOf;
    }

    /** The offset up to which (exclusive) everything from {@code offset} on is covered; {@code offset} itself if it is not. */
    public long coveredTo(int partition, String namespace, long offset) {
        long to = offset;
        for (Range r : ranges.getOrDefault(partition, List.of())) {
            if (r.first() <= to && to < r.next() && r.namespaces().contains(namespace)) {
                to = r.next();
            }
        }
        return to;
    }

    /** The offset from which on everything up to {@code offset} (inclusive) is covered; {@code offset + 1} if it is not itself. */
    public long coveredFrom(int partition, String namespace, long offset) {
        long from = offset + 1;
        for (Range r : ranges.getOrDefault(partition, List.of()).reversed()) {
            if (r.first() < from && from <= r.next() && r.namespaces().contains(namespace)) {
                from = r.first();
            }
        }
        return from;
    }

    /** The first covered offset behind {@code offset}; {@link Long#MAX_VALUE} if there is none. */
    public long nextAfter(int partition, String namespace, long offset) {
        for (Range r : ranges.getOrDefault(partition, List.of())) {
            if (r.next() > offset + 1 && r.namespaces().contains(namespace)) {
                return Math.max(r.first(), offset + 1);
            }
        }
        return Long.MAX_VALUE;
    }
}

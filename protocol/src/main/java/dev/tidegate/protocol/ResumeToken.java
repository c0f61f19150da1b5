package dev.tidegate.protocol;

import java.util.Collection;
import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The {@code id:} of a server-sent event: the positions of every channel of the stream, by partition, so that the one
 * {@code Last-Event-ID} a browser sends resumes all of them. A token of one partition is spelled like a {@link Cursor};
 * more are joined by {@code _}: {@code <epoch>.<partition>.<offset>_<partition>.<offset>…}, partitions ascending.
 *
 * @param epoch which topic
 * @param offsets partition to offset, never empty; bounded by {@link #MAX_PARTITIONS}
 */
public record ResumeToken(String epoch, SortedMap<Integer, Long> offsets) {
    /** Most partitions a token covers: at about 12 characters each it stays below the 8 KiB of a header line. */
    public static final int MAX_PARTITIONS = 512;

    public ResumeToken {
        if (offsets.isEmpty() || offsets.size() > MAX_PARTITIONS) {
            throw new ProtocolException(
                    ErrorCode.CURSOR_INVALID,
                    "resume token: " + offsets.size() + " partitions (expected: 1 to " + MAX_PARTITIONS + ")");
        }
        offsets = Collections.unmodifiableSortedMap(new TreeMap<>(offsets));
        offsets.forEach((partition, offset) -> new Cursor(epoch, partition, offset)); // each is checked as a cursor is
    }

    /**
     * The token that covers these cursors; of two for one partition the smaller counts, so that nothing is skipped.
     *
     * @param cursors not empty, all of one epoch
     */
    public static ResumeToken of(Collection<Cursor> cursors) {
        String epoch = cursors.iterator().next().epoch();
        TreeMap<Integer, Long> offsets = new TreeMap<>();
        for (Cursor c : cursors) {
            if (!c.epoch().equals(epoch)) {
                throw new IllegalArgumentException("cursors of two topics: " + epoch + " and " + c.epoch());
            }
            offsets.merge(c.partition(), c.offset(), Math::min);
        }
        return new ResumeToken(epoch, offsets);
    }

    /** Parses the wire form. @throws ProtocolException {@code cursor_invalid} */
    public static ResumeToken parse(String text) {
        // An epoch may hold '_' too, but nothing after its '.' does: from there on each '_' begins a partition.
        int end = text.indexOf('_', text.indexOf('.') + 1);
        Cursor cursor = Cursor.parse(end < 0 ? text : text.substring(0, end));
        TreeMap<Integer, Long> offsets = new TreeMap<>();
        offsets.put(cursor.partition(), cursor.offset());
        while (end >= 0) {
            int start = end + 1;
            end = text.indexOf('_', start);
            Cursor next = Cursor.parse(cursor.epoch() + "." + text.substring(start, end < 0 ? text.length() : end));
            if (next.partition() <= offsets.lastKey() || offsets.size() == MAX_PARTITIONS) {
                throw new ProtocolException(
                        ErrorCode.CURSOR_INVALID,
                        "resume token: partition " + next.partition() + " (expected: at most " + MAX_PARTITIONS
                                + " partitions, ascending, each once)");
            }
            offsets.put(next.partition(), next.offset());
        }
        return new ResumeToken(cursor.epoch(), offsets);
    }

    /** The position in this partition, or null when the token does not cover it. */
    public @Nullable Cursor cursor(int partition) {
        Long offset = offsets.get(partition);
        return offset == null ? null : new Cursor(epoch, partition, offset);
    }

    @Override
    public String toString() {
        StringBuilder s = new StringBuilder(epoch);
        char separator = '.';
        for (var e : offsets.entrySet()) {
            s.append(separator)
                    .append(e.getKey().intValue())
                    .append('.')
                    .append(e.getValue().longValue());
            separator = '_';
        }
        return s.toString();
    }
}

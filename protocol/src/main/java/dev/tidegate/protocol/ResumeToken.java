package dev.tidegate.protocol;

import java.util.Collection;
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
    }

    /** The token that covers these cursors; of two for one partition the smaller counts, so that nothing is skipped. */
    public static ResumeToken of(Collection<Cursor> cursors) {
        String epoch = cursors.iterator().next().epoch();
        TreeMap<Integer, Long> offsets = new TreeMap<>();
        for (Cursor c : cursors) {
            offsets.merge(c.partition(), c.offset(), Math::min);
        }
        return new ResumeToken(epoch, offsets);
    }

    /** Parses the wire form. @throws ProtocolException {@code cursor_invalid} */
    public static ResumeToken parse(String text) {
        String[] parts = text.split("_(?=[0-9]+\\.-?[0-9]+(?:_|$))", MAX_PARTITIONS + 1);
        Cursor first = Cursor.parse(parts[0]);
        TreeMap<Integer, Long> offsets = new TreeMap<>();
        offsets.put(first.partition(), first.offset());
        for (int i = 1; i < parts.length; i++) {
            Cursor c = Cursor.parse(first.epoch() + "." + parts[i]);
            if (offsets.put(c.partition(), c.offset()) != null) {
                throw new ProtocolException(
                        ErrorCode.CURSOR_INVALID,
                        "resume token: partition " + c.partition() + " twice (expected: once)");
            }
        }
        return new ResumeToken(first.epoch(), offsets);
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

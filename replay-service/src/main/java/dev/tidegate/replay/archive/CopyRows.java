package dev.tidegate.replay.archive;

import dev.tidegate.protocol.FanoutRecord;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;

/**
 * Events as PostgreSQL's {@code COPY … (FORMAT binary)} takes them (file format: PostgreSQL manual, COPY): the payload goes in as it
 * came, nothing is escaped or parsed. One array, kept from batch to batch. For one thread at a time.
 */
final class CopyRows {
    static final String COPY =
            "COPY replay.archive_event (epoch, partition, \"offset\", day, channel, id, type, content_type,"
                    + " time, stored, payload) FROM STDIN (FORMAT binary)";

    private static final byte[] SIGNATURE = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', (byte) 0xff, '\r', '\n', 0};
    private static final int HEAD = SIGNATURE.length + 2 * Integer.BYTES; // then flags and the length of an extension
    private static final short COLUMNS = 11;
    private static final int FIXED = Short.BYTES + COLUMNS * Integer.BYTES + 2 * Integer.BYTES + 3 * Long.BYTES;

    /** Days from the Unix epoch to PostgreSQL's, 2000-01-01. */
    private static final long PG_EPOCH_DAY = LocalDate.of(2000, 1, 1).toEpochDay();

    /** One message of the protocol; the driver writes each as a whole. */
    private static final int CHUNK = 256 << 10;

    private ByteBuffer rows = ByteBuffer.allocate(64 << 10);
    private int count;

    CopyRows() {
        clear();
    }

    /**
     * Adds an event; it is copied.
     *
     * @param day days since the Unix epoch
     */
    void add(byte[] epoch, int partition, long offset, long day, long stored, FanoutRecord e) {
        byte[] payload = e.payload();
        ensure(FIXED
                + epoch.length
                + e.channel().length
                + payload.length
                + length(e.id())
                + length(e.type())
                + length(e.contentType()));
        rows.putShort(COLUMNS);
        bytes(epoch);
        integer(partition);
        number(offset);
        integer((int) (day - PG_EPOCH_DAY));
        bytes(e.channel());
        bytes(e.id());
        bytes(e.type());
        bytes(e.contentType());
        number(e.timeMillis());
        number(stored);
        bytes(payload);
        count++;
    }

    /** Events added. */
    int count() {
        return count;
    }

    /** Bytes they take. */
    int bytes() {
        return rows.position() - HEAD;
    }

    void clear() {
        count = 0;
        rows.clear();
        rows.put(SIGNATURE).putInt(0).putInt(0);
    }

    /** The whole of it, with its end; valid until the next {@link #clear} or {@link #add}. */
    Flux<ByteBuf> toCopy() {
        ensure(Short.BYTES);
        int end = rows.position();
        rows.putShort(end, (short) -1);
        byte[] array = rows.array();
        int length = end + Short.BYTES;
        return Flux.range(0, (length + CHUNK - 1) / CHUNK)
                .map(i -> Unpooled.wrappedBuffer(array, i * CHUNK, Math.min(CHUNK, length - i * CHUNK)));
    }

    static byte[] text(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    private void bytes(byte @Nullable [] b) {
        if (b == null) {
            rows.putInt(-1);
        } else {
            rows.putInt(b.length).put(b);
        }
    }

    private void integer(int v) {
        rows.putInt(Integer.BYTES).putInt(v);
    }

    private void number(long v) {
        rows.putInt(Long.BYTES).putLong(v);
    }

    private static int length(byte @Nullable [] b) {
        return b == null ? 0 : b.length;
    }

    private void ensure(int more) {
        if (rows.remaining() < more + Short.BYTES) {
            int size = Math.max(2 * rows.capacity(), rows.position() + more + Short.BYTES);
            rows = ByteBuffer.wrap(Arrays.copyOf(rows.array(), size)).position(rows.position());
        }
    }
}

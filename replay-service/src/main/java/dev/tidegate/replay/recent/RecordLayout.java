package dev.tidegate.replay.recent;

import dev.tidegate.protocol.FanoutRecord.PayloadKind;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * How a record lies in the ring, at a position that is a multiple of 8:
 *
 * <pre>
 *  0 int   size        whole record, a multiple of 8; negative: filler up to the end of the segment, nothing else valid
 *  4 int   depth       number of the record in its channel; wraps
 *  8 long  offset      in its partition
 * 16 long  since       the channel has no event strictly between this offset and its own
 * 24 int   previous    distance back to the channel's previous record in units of 8 bytes; 0: none
 * 28 int   jump        distance back to an earlier record of the channel, see {@link RecentLog}; 0: none
 * 32 long  time        milliseconds since the epoch
 * 40 int   partition
 * 44 int   payload     bytes
 * 48 byte  channel     bytes; then id, type, content type: bytes, 0 = absent
 * 52 byte  kind        of payload
 * 53 byte  superseded  1: the channel has a newer record. The writer's own, changed later, never read by readers
 * 56 …     channel, id, type, content type, payload
 * </pre>
 */
final class RecordLayout {
    static final int SIZE = 0;
    static final int DEPTH = 4;
    static final int OFFSET = 8;
    static final int SINCE = 16;
    static final int PREVIOUS = 24;
    static final int JUMP = 28;
    static final int TIME = 32;
    static final int PARTITION = 40;
    static final int PAYLOAD = 44;
    static final int CHANNEL = 48;
    static final int ID = 49;
    static final int TYPE = 50;
    static final int CONTENT_TYPE = 51;
    static final int KIND = 52;
    static final int SUPERSEDED = 53;
    static final int HEADER = 56;

    /** Distances and positions in the table count in these. */
    static final int UNIT_SHIFT = 3;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;

    private RecordLayout() {}

    /** The size of a record with so many bytes behind its header. */
    static int size(int bytes) {
        return HEADER + bytes + 7 & -8;
    }

    static int getInt(MemorySegment s, long at) {
        return s.get(INT, at);
    }

    static void putInt(MemorySegment s, long at, int v) {
        s.set(INT, at, v);
    }

    static long getLong(MemorySegment s, long at) {
        return s.get(LONG, at);
    }

    static void putLong(MemorySegment s, long at, long v) {
        s.set(LONG, at, v);
    }

    /** A length of one byte, 0 to 255. */
    static int getLength(MemorySegment s, long at) {
        return s.get(BYTE, at) & 0xff;
    }

    static void putLength(MemorySegment s, long at, int v) {
        s.set(BYTE, at, (byte) v);
    }

    /** A distance in bytes. */
    static long getDistance(MemorySegment s, long at) {
        return Integer.toUnsignedLong(s.get(INT, at)) << UNIT_SHIFT;
    }

    static void putDistance(MemorySegment s, long at, long bytes) {
        s.set(INT, at, (int) (bytes >>> UNIT_SHIFT));
    }

    static int code(PayloadKind kind) {
        return switch (kind) {
            case JSON -> 0;
            case TEXT -> 1;
            case BINARY -> 2;
        };
    }

    static PayloadKind kind(int code) {
        return switch (code) {
            case 0 -> PayloadKind.JSON;
            case 1 -> PayloadKind.TEXT;
            default -> PayloadKind.BINARY;
        };
    }

    static void putBytes(MemorySegment s, long at, byte[] src) {
        MemorySegment.copy(src, 0, s, BYTE, at, src.length);
    }

    static void getBytes(MemorySegment s, long at, byte[] dst, int length) {
        MemorySegment.copy(s, BYTE, at, dst, 0, length);
    }

    /** Whether these bytes stand there. */
    static boolean matches(MemorySegment s, long at, byte[] bytes) {
        for (int i = 0; i < bytes.length; i++) {
            if (s.get(BYTE, at + i) != bytes[i]) {
                return false;
            }
        }
        return true;
    }
}

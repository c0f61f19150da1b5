package dev.tidegate.perf.swarm;

/** A cursor, read from bytes: {@code <epoch>.<partition>.<offset>}. Reused. */
final class Place {
    private byte[] b = new byte[0];
    private int epochFrom;
    private int epochTo;

    int partition;
    long offset;

    /** Reads a cursor; false if it is none. */
    boolean read(byte[] bytes, int from, int to) {
        b = bytes;
        int first = dot(from, to);
        int second = first < 0 ? -1 : dot(first + 1, to);
        if (first <= from || second < 0 || to - from > 64) {
            return false;
        }
        long p = Frame.number(bytes, first + 1, second);
        offset = Frame.number(bytes, second + 1, to);
        if (p < 0 || p > Integer.MAX_VALUE || offset < -1) {
            return false;
        }
        epochFrom = from;
        epochTo = first;
        partition = (int) p;
        return true;
    }

    byte[] epoch() {
        return java.util.Arrays.copyOfRange(b, epochFrom, epochTo);
    }

    boolean isOf(byte[] epoch) {
        return Members.equal(b, epochFrom, epochTo, epoch);
    }

    private int dot(int from, int to) {
        for (int i = from; i < to; i++) {
            if (b[i] == '.') {
                return i;
            }
        }
        return -1;
    }
}

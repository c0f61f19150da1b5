package dev.tidegate.perf.swarm;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What one connection has received of one channel, exactly: its position in the log, by PROTOCOL.md's continuity rule, and
 * beside it which sequence numbers of the publisher it has. The two are independent, so that a server whose {@code prev}
 * says "nothing is missing" while something is, is found out.
 */
final class Track {
    /** No position is known yet. */
    static final long NOWHERE = Long.MIN_VALUE;

    /** Most ranges of missing sequence numbers remembered; beyond it a run is broken anyway, and only its count is kept. */
    private static final int MAX_RANGES = 1000;

    /** Index of the channel. */
    final int channel;

    /** Offset up to which the client has everything, as the server told. */
    long position = NOWHERE;

    /** The smallest sequence number above all that were seen. */
    int next;

    /** Ranges [from, to) below {@link #next} that were not seen, ascending; null if there are none, which is the rule. */
    private int @Nullable [] missing;

    Track(int channel) {
        this.channel = channel;
    }

    /**
     * An event with a cursor: applies the continuity rule and moves the position.
     *
     * @param fresh whether the event is seen for the first time: a repeat behind the position is no fault of order
     */
    void place(long prev, long offset, boolean fresh, Accounts accounts) {
        if (offset <= position) {
            if (fresh) {
                accounts.backward++;
            }
            return;
        }
        if ((position != NOWHERE && prev > position) || prev >= offset) {
            accounts.holes++;
        }
        position = offset;
    }

    /** Whether a sequence number is seen for the first time; notes it. */
    boolean see(int sequence, Accounts accounts) {
        if (sequence == next) {
            next++;
            return true;
        }
        if (sequence > next) {
            addMissing(next, sequence);
            next = sequence + 1;
            return true;
        }
        if (removeMissing(sequence)) {
            accounts.late++;
            return true;
        }
        accounts.repeated++;
        return false;
    }

    /** How many of the sequence numbers below {@code count} have not been seen. */
    int lacking(int count) {
        int n = Math.max(0, count - next);
        int[] m = missing;
        if (m != null) {
            for (int i = 0; i < m.length; i += 2) {
                n += Math.max(0, Math.min(m[i + 1], count) - m[i]);
            }
        }
        return n;
    }

    /** Whether this sequence number has not been seen. */
    boolean lacks(int sequence) {
        if (sequence >= next) {
            return true;
        }
        int[] m = missing;
        for (int i = 0; m != null && i < m.length; i += 2) {
            if (sequence >= m[i] && sequence < m[i + 1]) {
                return true;
            }
        }
        return false;
    }

    /** What is missing below {@code count}, for a person: e.g. {@code 4-7, 12}; cut after a few ranges. */
    String describeLacking(int count) {
        StringBuilder out = new StringBuilder();
        int[] m = missing == null ? new int[0] : missing;
        for (int i = 0; i < m.length && out.length() < 80; i += 2) {
            append(out, m[i], Math.min(m[i + 1], count));
        }
        append(out, next, count);
        return out.toString();
    }

    private static void append(StringBuilder out, int from, int to) {
        if (from < to) {
            out.append(out.isEmpty() ? "" : ", ").append(from);
            if (to - from > 1) {
                out.append('-').append(to - 1);
            }
        }
    }

    private void addMissing(int from, int to) {
        int[] m = missing;
        if (m == null) {
            missing = new int[] {from, to};
        } else if (m.length < 2 * MAX_RANGES) {
            missing = Arrays.copyOf(m, m.length + 2);
            missing[m.length] = from;
            missing[m.length + 1] = to;
        } else {
            m[m.length - 1] = to; // wider than true: what came in between counts as missing; the run has failed by far
        }
    }

    private boolean removeMissing(int sequence) {
        int[] m = missing;
        if (m == null) {
            return false;
        }
        for (int i = 0; i < m.length; i += 2) {
            if (sequence >= m[i] && sequence < m[i + 1]) {
                split(m, i, sequence);
                return true;
            }
        }
        return false;
    }

    private void split(int[] m, int i, int sequence) {
        boolean before = m[i] < sequence;
        boolean after = sequence + 1 < m[i + 1];
        if (before && after) {
            int[] wider = new int[m.length + 2];
            System.arraycopy(m, 0, wider, 0, i + 1);
            wider[i + 1] = sequence;
            wider[i + 2] = sequence + 1;
            System.arraycopy(m, i + 1, wider, i + 3, m.length - i - 1);
            missing = wider;
        } else if (before) {
            m[i + 1] = sequence;
        } else if (after) {
            m[i] = sequence + 1;
        } else if (m.length == 2) {
            missing = null;
        } else {
            int[] narrower = new int[m.length - 2];
            System.arraycopy(m, 0, narrower, 0, i);
            System.arraycopy(m, i + 2, narrower, i, narrower.length - i);
            missing = narrower;
        }
    }
}

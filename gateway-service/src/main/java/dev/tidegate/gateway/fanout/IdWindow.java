package dev.tidegate.gateway.fanout;

import java.util.concurrent.atomic.LongAdder;

/**
 * The ids of the last events of one partition, by their 128-bit hashes, and what has come of each: its record, its copy,
 * or both. Oldest first out: when it is full and the oldest may not be forgotten yet, it grows, up to its bound. Arrays
 * and open addressing, since a busy gateway notes every wanted record here: 33 bytes an id. Guarded by the lock of
 * {@link HedgeRing}.
 */
final class IdWindow {
    static final byte KAFKA = 1;
    static final byte PROVISIONAL = 2;
    static final byte BOTH = KAFKA | PROVISIONAL;

    private static final int FIRST_CAPACITY = 16;

    /** A provisional entry is kept so many times longer: an outage may last, and forgetting it is a second delivery. */
    private static final int WITHOUT_RECORD = 60;

    private final int maxIds;
    private final long rememberNanos;

    // A ring by sequence number: the slot of an entry is its number, modulo the capacity.
    private long[] high = new long[FIRST_CAPACITY];
    private long[] low = new long[FIRST_CAPACITY];
    private long[] noted = new long[FIRST_CAPACITY];
    private byte[] state = new byte[FIRST_CAPACITY];
    private long first;
    private long end;

    /** Slot + 1 by hash, with linear probing; twice the capacity, so never more than half full. */
    private int[] index = new int[2 * FIRST_CAPACITY];

    /** No provisional entry before this one is young enough to say that the tail is behind. */
    private long behindFrom;

    private final LongAdder forgotten;

    /**
     * @param maxIds its bound, a power of two
     * @param rememberNanos for how long an entry with a record is kept if there may be room for it
     * @param forgotten counts provisional entries that went before their record came
     */
    IdWindow(int maxIds, long rememberNanos, LongAdder forgotten) {
        if (Integer.bitCount(maxIds) != 1 || maxIds < FIRST_CAPACITY) {
            throw new IllegalArgumentException("maxIds: " + maxIds + " (expected: a power of two from 16)");
        }
        this.maxIds = maxIds;
        this.rememberNanos = rememberNanos;
        this.forgotten = forgotten;
    }

    /** The slot of an id, valid until the next {@link #add}; -1 if it is not known. */
    int find(long h, long l) {
        int mask = index.length - 1;
        for (int i = (int) l & mask; index[i] != 0; i = (i + 1) & mask) {
            int slot = index[i] - 1;
            if (low[slot] == l && high[slot] == h) {
                return slot;
            }
        }
        return -1;
    }

    byte state(int slot) {
        return state[slot];
    }

    void record(int slot) {
        state[slot] |= KAFKA;
    }

    int size() {
        return (int) (end - first);
    }

    /** Adds an id that is not known. */
    void add(long h, long l, byte newState, long now) {
        if (size() == high.length) {
            makeRoom(now);
        }
        int slot = (int) end & (high.length - 1);
        high[slot] = h;
        low[slot] = l;
        state[slot] = newState;
        noted[slot] = now;
        end++;
        insert(slot);
    }

    /** Whether something provisional that was noted in this span of ages is still without its record. */
    boolean behind(long now, long minAge, long maxAge) {
        behindFrom = Math.max(behindFrom, first);
        for (; behindFrom < end; behindFrom++) {
            int slot = (int) behindFrom & (high.length - 1);
            if (state[slot] == PROVISIONAL && now - noted[slot] < maxAge) {
                return now - noted[slot] >= minAge;
            }
        }
        return false;
    }

    private void makeRoom(long now) {
        int oldest = (int) first & (high.length - 1);
        long keep = state[oldest] == PROVISIONAL ? WITHOUT_RECORD * rememberNanos : rememberNanos;
        boolean old = now - noted[oldest] > keep;
        if (!old && high.length < maxIds) {
            grow();
            return;
        }
        if (state[oldest] == PROVISIONAL) {
            forgotten.increment();
        }
        remove(oldest);
        first++;
    }

    private void grow() {
        int n = high.length;
        long[] h = new long[2 * n];
        long[] l = new long[2 * n];
        long[] at = new long[2 * n];
        byte[] s = new byte[2 * n];
        for (long i = first; i < end; i++) {
            int from = (int) i & (n - 1);
            int to = (int) i & (2 * n - 1);
            h[to] = high[from];
            l[to] = low[from];
            at[to] = noted[from];
            s[to] = state[from];
        }
        high = h;
        low = l;
        noted = at;
        state = s;
        index = new int[4 * n];
        for (long i = first; i < end; i++) {
            insert((int) i & (2 * n - 1));
        }
    }

    private void insert(int slot) {
        int mask = index.length - 1;
        int i = (int) low[slot] & mask;
        while (index[i] != 0) {
            i = (i + 1) & mask;
        }
        index[i] = slot + 1;
    }

    /** Takes a slot out of the index and moves back what had been pushed on by it. */
    private void remove(int slot) {
        int mask = index.length - 1;
        int hole = (int) low[slot] & mask;
        while (index[hole] != slot + 1) {
            hole = (hole + 1) & mask;
        }
        for (int i = (hole + 1) & mask; index[i] != 0; i = (i + 1) & mask) {
            int home = (int) low[index[i] - 1] & mask;
            if (((i - home) & mask) >= ((i - hole) & mask)) {
                index[hole] = index[i];
                hole = i;
            }
        }
        index[hole] = 0;
    }
}

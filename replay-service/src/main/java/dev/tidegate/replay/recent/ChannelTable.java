package dev.tidegate.replay.recent;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Channel -> its newest record: open addressing with linear probing, two longs a slot, no objects. Written by the log's
 * writer, read by any thread without a lock.
 *
 * <pre>
 * word 0   0 empty, 1 removed, else hash of the channel (32 bits, never 0) | position of the record (low 32 bits, units of 8 bytes)
 * word 1   offset of the record
 * </pre>
 *
 * Names are not stored: whoever must be sure compares with the record. The low 32 bits of a position are enough because a
 * ring is never larger than half of what they can tell.
 *
 * <p><b>Why a reader misses nothing.</b> Say the channel has a record that was appended before the reader began and is not
 * evicted before it ends. The writer put its slot in place before it published the partition's position, which the reader
 * read first. A slot never moves within an array and becomes empty only when no slot after it can be in use, so probing
 * from the channel's home slot reaches it. When the table is rebuilt, the new array is published whole; a reader of the
 * old array sees the table as it was later than its own start. Both words of a slot only grow while it belongs to one
 * channel, so a reader that meets them half-updated sees a state between the one it needs and now. A slot that is given to
 * another channel meanwhile belonged to one whose records are all evicted: the reader learns of that by looking at the
 * oldest offset kept <em>after</em> probing.
 */
final class ChannelTable {
    /** No such channel. Positions are never so small. */
    static final long NONE = -1;

    private static final VarHandle WORD = MethodHandles.arrayElementVarHandle(long[].class);
    private static final long EMPTY = 0;
    private static final long REMOVED = 1;
    private static final int MIN_SLOTS = 1 << 10;
    private static final int MAX_SLOTS = 1 << 28;

    /** Tells whether the record at a position is of this channel; false also if it was overwritten meanwhile. */
    interface Names {
        boolean isOf(long position, byte[] channel);
    }

    private volatile long[] words = new long[2 * MIN_SLOTS];

    // The writer's own.
    private int used; // slots that are not empty
    private int live;

    /** Channels held; the writer's. */
    int channels() {
        return live;
    }

    /** Bytes of heap; the writer's. */
    long bytes() {
        return 8L * words.length;
    }

    /** The writer's look-up: the slot of a channel, or {@link #NONE}. {@code tail}: the oldest position still held. */
    int find(int hash, byte[] channel, long tail, Names names) {
        long[] w = words;
        int mask = (w.length >>> 1) - 1;
        for (int i = hash & mask; ; i = i + 1 & mask) {
            long word = w[2 * i];
            if (word == EMPTY) {
                return (int) NONE;
            }
            if ((int) (word >>> 32) == hash && word != REMOVED && names.isOf(position(word, tail), channel)) {
                return i;
            }
        }
    }

    /** The position in a slot. {@code reference}: any position that is not younger, and not much older, than it. */
    long position(int slot, long reference) {
        return position(words[2 * slot], reference);
    }

    /** Puts a newer record of its channel into a slot. */
    void update(int slot, long position, long offset) {
        long[] w = words;
        long word = (w[2 * slot] & 0xffff_ffff_0000_0000L) | units(position);
        WORD.setRelease(w, 2 * slot + 1, offset);
        WORD.setRelease(w, 2 * slot, word);
    }

    /** Adds a channel that {@link #find} did not find. */
    void add(int hash, long position, long offset) {
        makeRoom();
        long[] w = words;
        int mask = (w.length >>> 1) - 1;
        int i = hash & mask;
        while (w[2 * i] != EMPTY && w[2 * i] != REMOVED) {
            i = i + 1 & mask;
        }
        if (w[2 * i] == EMPTY) {
            used++;
        }
        live++;
        WORD.setRelease(w, 2 * i + 1, offset);
        WORD.setRelease(w, 2 * i, (long) hash << 32 | units(position));
    }

    /** Removes a channel; called before its record is given up to be overwritten. */
    void remove(int slot) {
        long[] w = words;
        int mask = (w.length >>> 1) - 1;
        live--;
        if (w[2 * (slot + 1 & mask)] != EMPTY) {
            WORD.setRelease(w, 2 * slot, REMOVED);
            return;
        }
        // Nothing behind it: no probe has to pass here, nor through the removed slots before it.
        int i = slot;
        do {
            WORD.setRelease(w, 2 * i, EMPTY);
            used--;
            i = i - 1 & mask;
        } while (w[2 * i] == REMOVED);
    }

    /** Forgets every channel. */
    void clear() {
        words = new long[2 * MIN_SLOTS];
        used = 0;
        live = 0;
    }

    private void makeRoom() {
        long[] old = words;
        int slots = old.length >>> 1;
        if ((used + 1) * 5L <= slots * 3L) {
            return;
        }
        int wanted = slots;
        if (live * 10L > slots * 3L) {
            wanted = slots * 2;
        } else if (live * 10L < slots && slots > MIN_SLOTS) {
            wanted = slots / 2;
        }
        if (wanted > MAX_SLOTS) {
            throw new IllegalStateException("channel table: more than " + MAX_SLOTS + " slots");
        }
        long[] fresh = new long[2 * wanted];
        int mask = wanted - 1;
        for (int k = 0; k < slots; k++) {
            long word = old[2 * k];
            if (word != EMPTY && word != REMOVED) {
                int i = (int) (word >>> 32) & mask;
                while (fresh[2 * i] != EMPTY) {
                    i = i + 1 & mask;
                }
                fresh[2 * i] = word;
                fresh[2 * i + 1] = old[2 * k + 1];
            }
        }
        used = live;
        words = fresh;
    }

    /** Whether {@link #newestAfter} met a channel of the same hash without newer records, so that it may have been this one. */
    static final long NONE_OR_OLDER = -2;

    /**
     * A reader's look-up: the position of the channel's newest record if that is later than {@code after}. The log is
     * touched only if there is something later.
     *
     * @param reference the oldest position held, read before this call
     * @return {@link #NONE}, {@link #NONE_OR_OLDER}, or the position
     */
    long newestAfter(int hash, byte[] channel, long after, long reference, Names names) {
        long[] w = words;
        int mask = (w.length >>> 1) - 1;
        long nothing = NONE;
        for (int i = hash & mask; ; i = i + 1 & mask) {
            long word = (long) WORD.getAcquire(w, 2 * i);
            if (word == EMPTY) {
                return nothing;
            }
            if ((int) (word >>> 32) == hash && word != REMOVED) {
                long position = position(word, reference);
                if ((long) WORD.getAcquire(w, 2 * i + 1) <= after) {
                    nothing = NONE_OR_OLDER;
                } else if (names.isOf(position, channel)) {
                    return position;
                }
            }
        }
    }

    private static long units(long position) {
        return (position >>> RecordLayout.UNIT_SHIFT) & 0xffff_ffffL;
    }

    private static long position(long word, long reference) {
        long units = reference >>> RecordLayout.UNIT_SHIFT;
        return (units + (((int) word - (int) units) & 0xffff_ffffL)) << RecordLayout.UNIT_SHIFT;
    }
}

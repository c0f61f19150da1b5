package dev.tidegate.gateway.resume;

import java.util.ArrayDeque;
import java.util.IdentityHashMap;
import org.jspecify.annotations.Nullable;

/**
 * A bounded queue in which owners take turns: one that has a thousand things waiting and one that has a single thing get
 * every second place each. What one owner put in comes out in its order. Not thread-safe.
 *
 * @param <T> what waits
 */
public final class FairQueue<T> {
    /** Fewer idle turns are not worth a sweep. */
    private static final int MIN_SWEEP = 64;

    private final int bound;
    private final IdentityHashMap<Object, ArrayDeque<T>> byOwner = new IdentityHashMap<>();
    private final ArrayDeque<Object> turns = new ArrayDeque<>(); // each owner that has something waiting, once
    private int size;
    private int idle; // owners that have a turn coming and nothing waiting, since it was taken back

    /** @param bound most that wait, of all owners together */
    public FairQueue(int bound) {
        this.bound = bound;
    }

    /** Puts it in; false if the bound is reached. Owners are told apart by identity. */
    public boolean offer(Object owner, T what) {
        if (size == bound) {
            return false;
        }
        size++;
        ArrayDeque<T> own = byOwner.get(owner);
        if (own == null) {
            own = new ArrayDeque<>(1);
            byOwner.put(owner, own);
            turns.add(owner);
        } else if (own.isEmpty()) {
            idle--;
        }
        own.add(what);
        return true;
    }

    /** Takes out what the next owner has waited for longest; null if nothing waits. */
    public @Nullable T poll() {
        Object owner;
        while ((owner = turns.poll()) != null) {
            ArrayDeque<T> own = byOwner.get(owner);
            T next = own == null ? null : own.poll();
            if (own == null || own.isEmpty()) {
                byOwner.remove(owner);
            } else {
                turns.add(owner);
            }
            if (next != null) {
                size--;
                return next;
            }
            idle--;
        }
        return null;
    }

    /**
     * Takes back what an owner has put in and that has not come out; its room is free at once. Takes as long as the owner
     * has things waiting; the turns of owners who have none left are swept once they are half of all.
     *
     * @return whether it was there
     */
    public boolean remove(Object owner, T what) {
        ArrayDeque<T> own = byOwner.get(owner);
        if (own == null || !own.remove(what)) {
            return false;
        }
        size--;
        if (own.isEmpty() && ++idle > Math.max(MIN_SWEEP, turns.size() / 2)) {
            turns.removeIf(o -> {
                ArrayDeque<T> its = byOwner.get(o);
                boolean gone = its == null || its.isEmpty();
                if (gone) {
                    byOwner.remove(o);
                }
                return gone;
            });
            idle = 0;
        }
        return true;
    }

    /** How many wait. */
    public int size() {
        return size;
    }
}

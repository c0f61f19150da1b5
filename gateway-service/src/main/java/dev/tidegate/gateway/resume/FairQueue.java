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
    private final int bound;
    private final IdentityHashMap<Object, ArrayDeque<T>> byOwner = new IdentityHashMap<>();
    private final ArrayDeque<Object> turns = new ArrayDeque<>(); // each owner that has something waiting, once
    private int size;

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
        }
        own.add(what);
        return true;
    }

    /** Takes out what the next owner has waited for longest; null if nothing waits. */
    public @Nullable T poll() {
        Object owner = turns.poll();
        ArrayDeque<T> own = owner == null ? null : byOwner.get(owner);
        if (owner == null || own == null) {
            return null;
        }
        size--;
        T next = own.poll();
        if (own.isEmpty()) {
            byOwner.remove(owner);
        } else {
            turns.add(owner);
        }
        return next;
    }

    /** How many wait. */
    public int size() {
        return size;
    }
}

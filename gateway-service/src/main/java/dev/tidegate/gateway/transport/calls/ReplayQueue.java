package dev.tidegate.gateway.transport.calls;

import dev.tidegate.gateway.resume.FairQueue;
import dev.tidegate.gateway.transport.calls.ReplayCall.Pending;
import dev.tidegate.protocol.ChannelName;
import dev.tidegate.protocol.Cursor;
import dev.tidegate.protocol.Replay;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The replay requests of one event loop that wait for a call. Sessions take turns, so that one with a thousand channels
 * holds up none with one; requests for the same events share one place and one answer, so that a crowd that comes back
 * to one channel costs the replay service one request. Bounded by its listeners. Confined to the loop.
 */
final class ReplayQueue {
    /**
     * What makes two requests the same. Up to where events are wanted does not: live publishing moves that on between any
     * two of a crowd. The furthest is asked for, and each takes what it wants. A {@code last} counts back from there, so
     * those have to agree in it.
     */
    private record Asked(
            ChannelName channel, @Nullable Cursor after, int last, String epoch, int partition, int limit, long upTo) {
        static Asked of(Replay.Request r) {
            return new Asked(
                    r.channel(),
                    r.after(),
                    r.last(),
                    r.epoch(),
                    r.partition(),
                    r.limit(),
                    r.after() == null ? r.upTo() : Cursor.BEFORE_FIRST);
        }
    }

    private final FairQueue<Pending> inTurn;
    private final Map<Asked, Pending> byRequest = new HashMap<>();
    private final boolean share;
    private final int bound;
    private int listeners;

    /**
     * @param bound most listeners that wait
     * @param share whether the same requests share a place
     */
    ReplayQueue(int bound, boolean share) {
        this.bound = bound;
        this.share = share;
        this.inTurn = new FairQueue<>(bound);
    }

    /** Whether it was taken in. */
    boolean add(Pending pending) {
        if (listeners == bound) {
            return false;
        }
        listeners++;
        pending.waits();
        if (share) {
            Pending first = byRequest.putIfAbsent(Asked.of(pending.request), pending);
            if (first != null) {
                first.share(pending);
                return true;
            }
        }
        inTurn.offer(pending.turn(), pending);
        return true;
    }

    /** A request that has been cancelled gives its room back at once; nothing if it does not wait here any more. */
    void cancelled(Pending pending) {
        Pending place = pending.place();
        if (place == null) {
            return;
        }
        listeners--;
        pending.leavePlace();
        if (place.listeners() == 0) {
            byRequest.remove(Asked.of(place.request), place);
            inTurn.remove(place.turn(), place);
        }
    }

    /** Requests that would travel. */
    int size() {
        return inTurn.size();
    }

    /** The next ones in turn that somebody still waits for. */
    List<Pending> take(int most) {
        List<Pending> taken = new ArrayList<>(Math.min(inTurn.size(), most));
        while (taken.size() < most) {
            Pending next = inTurn.poll();
            if (next == null) {
                break;
            }
            byRequest.remove(Asked.of(next.request), next);
            listeners -= next.listeners();
            next.travels();
            if (!next.cancelled()) {
                taken.add(next);
            }
        }
        return taken;
    }
}

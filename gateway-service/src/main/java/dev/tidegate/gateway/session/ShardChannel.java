package dev.tidegate.gateway.session;

import dev.tidegate.gateway.auth.SlowClient;
import dev.tidegate.gateway.fanout.Interest;
import dev.tidegate.gateway.fanout.Tail;
import dev.tidegate.protocol.ChannelName;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One channel on one event loop: its local subscriptions, by wire format, in dense arrays, so that a broadcast is a walk
 * over plain fields. Loop-confined.
 */
final class ShardChannel {
    final ChannelName name;
    final byte[] key;

    /** What its namespace does with subscriptions whose connection takes no more. */
    final SlowClient slowClient;

    @Nullable
    Interest interest;

    /** The position after which this loop has seen every record of the channel, live. */
    private long base;

    /** The same in the framing of event streams, which may have been joined later. */
    private long sseBase;

    /** The offset of the last event this loop delivered; {@code base} before the first. */
    long lastOffset;

    /** The newest events, while a slow subscription is to get them; else null. */
    @Nullable
    Conflation conflation;

    /** What has been delivered provisionally and waits for its record; else null. */
    @Nullable
    ProvisionalWindow provisional;

    /** The number of the last provisional delivery; wraps around. */
    int provisionalDeliveries;

    Subscription[] ws = NONE;
    int wsCount;
    Subscription[] sse = NONE;
    int sseCount;

    /** How many of the WebSocket ones take compressed frames. */
    private int deflating;

    private static final Subscription[] NONE = new Subscription[0];

    ShardChannel(ChannelName name, SlowClient slowClient) {
        this.name = name;
        this.slowClient = slowClient;
        this.key = name.bytes();
    }

    int partition() {
        Interest i = interest;
        if (i == null) {
            throw new IllegalStateException("not joined");
        }
        return i.partition();
    }

    /** Joins the tail, for one format; returns the position after which live records will come. */
    long join(Tail tail, int loop, boolean forSse) {
        Tail.Joined joined = tail.join(key, loop, forSse);
        if (interest != joined.interest()) {
            interest = joined.interest();
            joined.interest().attach(loop, this);
            base = joined.position();
            lastOffset = joined.position();
            if (deflating > 0) {
                joined.interest().deflate(loop, true);
            }
        }
        if (forSse) {
            sseBase = joined.position();
        }
        return joined.position();
    }

    /** Joins the tail of another incarnation of the topic, for the formats that have subscribers. */
    void rejoin(Tail tail, int loop) {
        Conflation c = conflation;
        if (c != null) {
            c.clear();
        }
        if (wsCount > 0) {
            join(tail, loop, false);
        }
        if (sseCount > 0) {
            join(tail, loop, true);
        }
    }

    /**
     * Whether every event after this offset is still to come, live, or lies in the loop's queue: then a client that stands
     * here has missed nothing.
     */
    boolean hasAllAfter(long offset, boolean forSse) {
        return offset >= lastOffset && offset >= (forSse ? sseBase : base);
    }

    /** The subscriptions of both formats, as they are now. */
    List<Subscription> all() {
        List<Subscription> all = new ArrayList<>(wsCount + sseCount);
        all.addAll(Arrays.asList(ws).subList(0, wsCount));
        all.addAll(Arrays.asList(sse).subList(0, sseCount));
        return all;
    }

    void add(Subscription s, boolean toSse) {
        if (toSse) {
            sse = grown(sse, sseCount);
            s.index = sseCount;
            sse[sseCount++] = s;
        } else {
            ws = grown(ws, wsCount);
            s.index = wsCount;
            ws[wsCount++] = s;
        }
    }

    /** One more, or one less, of the subscriptions takes compressed frames; once it has been added, or removed. */
    void countDeflating(int by, int loop) {
        int before = deflating;
        deflating += by;
        Interest i = interest;
        if (i != null && (before == 0) != (deflating == 0)) {
            i.deflate(loop, deflating > 0);
        }
    }

    /** Removes by moving the last one into the hole: order among subscribers means nothing. */
    void remove(Subscription s, boolean fromSse) {
        unconflate(s);
        Subscription[] a = fromSse ? sse : ws;
        int last = fromSse ? --sseCount : --wsCount;
        Subscription moved = a[last];
        a[s.index] = moved;
        moved.index = s.index;
        clear(a, last);
        if (a.length > 64 && last < a.length / 4) {
            if (fromSse) {
                sse = Arrays.copyOf(sse, a.length / 2);
            } else {
                ws = Arrays.copyOf(ws, a.length / 2);
            }
        }
    }

    /** A slow subscription is to get the newest events once its connection drains. */
    void conflate(Subscription s, Conflation.Budget budget) {
        Conflation c = conflation;
        if (c == null) {
            c = new Conflation(budget);
            conflation = c;
        }
        s.conflated = true;
        c.slow++;
    }

    /** It is not slow any more, or gone; the last one takes what was kept with it. */
    void unconflate(Subscription s) {
        Conflation c = conflation;
        if (s.conflated && c != null) {
            s.conflated = false;
            if (--c.slow == 0) {
                c.clear();
                conflation = null;
            }
        }
    }

    @SuppressWarnings("NullAway") // slots at and above the count hold nothing, and nothing reads them
    private static void clear(Subscription[] a, int i) {
        a[i] = null;
    }

    private static Subscription[] grown(Subscription[] a, int count) {
        return count < a.length ? a : Arrays.copyOf(a, count == 0 ? 1 : count + (count >> 1) + 1);
    }
}

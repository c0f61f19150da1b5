package dev.tidegate.gateway.fanout;

import dev.tidegate.gateway.metrics.GatewayMetrics;
import dev.tidegate.gateway.metrics.GatewayMetrics.CopyLoss;
import dev.tidegate.protocol.FallbackCopy;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What is decided about an event that comes twice, as a record of Kafka and as a copy over Redis: which copy is delivered
 * without waiting for its record, and which record has been delivered already. ADR 100 has the states and why.
 *
 * <pre>
 * id         unknown     -> KAFKA        its record is read, or it is an ephemeral copy, which is delivered
 *            unknown     -> PROVISIONAL  its copy is delivered: fastest, or hedging, or it has waited its time
 *            PROVISIONAL -> BOTH         its record is read: dispatched with its id, see {@link #brought}
 * partition  following   -> hedging      a copy has waited, and the tail has not moved, for {@code hedgeAfter}
 *            hedging     -> following    the tail has moved, and nothing provisional is behind it any more
 * </pre>
 *
 * <p>Two threads: the tailer ({@link #busy}, {@link #free}, {@link #moved}, {@link #brought}) and the Redis tier's
 * ({@link #arrived}, {@link #due}). {@code brought}, {@code arrived} and {@code due} need the {@link #lock}; who releases
 * copies holds it until they lie in the loops' queues, so that no record overtakes its own copy. Times are those of {@link
 * #now}, a clock that stands while the tailer is at work.
 */
public final class HedgeRing {
    /**
     * Bounds.
     *
     * @param hedgeAfterNanos how long a copy waits for its record while the tail stands still
     * @param waitingCopies most copies of a partition that wait
     * @param waitingBytes most bytes of a partition's waiting copies
     * @param ids most ids known of a partition; a power of two
     */
    public record Settings(long hedgeAfterNanos, int waitingCopies, int waitingBytes, int ids) {
        /** The shipped bounds, with a hedge of this many milliseconds. */
        public static Settings of(long hedgeAfterMillis) {
            return new Settings(TimeUnit.MILLISECONDS.toNanos(hedgeAfterMillis), 4096, 4 << 20, 32_768);
        }
    }

    /** Takes what is to be delivered now. Called under the lock. */
    public interface Releases {
        /**
         * Whether this is its channel's interest still. Where all had left and others have come, the record may have passed
         * while nobody wanted it, and the copy would be an event from before their subscriptions.
         */
        boolean wanted(Interest interest);

        /**
         * One copy.
         *
         * @param interest for which it was taken in
         * @param provisional whether a record of it is to come; else it is ephemeral
         */
        void release(Interest interest, FallbackCopy copy, boolean provisional);
    }

    /** A copy that has waited so many times longer is delivered although the tail moves. */
    private static final int OVERDUE = 4;

    /** A copy without a record for so long says nothing about the tail any more: its record was refused. */
    private static final long PHANTOM_NANOS = 30_000_000_000L;

    /** For how long the id of a record is known, when there is no room: Redis may be late by so much. */
    private static final long REMEMBER_NANOS = 30_000_000_000L;

    private static final class Partition {
        final IdWindow ids;
        final ArrayDeque<Waiting> waiting = new ArrayDeque<>(0);
        int waitingBytes;
        boolean hedging;
        long hedgingSince;

        Partition(IdWindow ids) {
            this.ids = ids;
        }
    }

    private record Waiting(Interest interest, FallbackCopy copy, long arrived, long high, long low) {}

    private final Settings settings;
    private final GatewayMetrics metrics;
    private final ReentrantLock lock = new ReentrantLock();
    private final IdHash hash = new IdHash(); // under the lock
    private Partition[] partitions = new Partition[0]; // under the lock

    private volatile AtomicLongArray movedAt = new AtomicLongArray(0);
    private volatile long busySince;
    private volatile boolean isBusy;
    private volatile long busyNanos; // written by the tailer alone
    private volatile int waitingCopies;
    private volatile int hedgingPartitions;

    /** One for all partitions of a gateway. */
    public HedgeRing(Settings settings, GatewayMetrics metrics) {
        this.settings = settings;
        this.metrics = metrics;
    }

    /** Nobody decides anything until {@link #unlock}. */
    public void lock() {
        lock.lock();
    }

    public void unlock() {
        lock.unlock();
    }

    /** Copies that wait; any thread. */
    public int waiting() {
        return waitingCopies;
    }

    /** Partitions whose tail stands still while copies come; any thread. */
    public int hedging() {
        return hedgingPartitions;
    }

    /** The ring's time at this {@link System#nanoTime}: without what the tailer has spent at work. Any thread. */
    public long now(long nanoTime) {
        // In this order: a batch that ends in between is taken off twice, so that the time is too early, not too late.
        boolean busy = isBusy;
        long since = busySince;
        return (busy ? since : nanoTime) - busyNanos;
    }

    // ---- the tailer

    /** The topic has this many partitions; what is known of ids stays if it had as many before. */
    public void partitions(int n) {
        lock.lock();
        try {
            if (partitions.length != n) {
                partitions = new Partition[n];
                for (int i = 0; i < n; i++) {
                    partitions[i] = new Partition(new IdWindow(settings.ids(), REMEMBER_NANOS, metrics.idsForgotten));
                }
                movedAt = new AtomicLongArray(n);
                count();
            }
        } finally {
            lock.unlock();
        }
    }

    /** The tailer has read something and is at work with it. */
    public void busy(long nanoTime) {
        busySince = nanoTime;
        isBusy = true;
    }

    /** The tailer waits for Kafka again. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // of the tailer alone
    public void free(long nanoTime) {
        if (isBusy) {
            busyNanos += nanoTime - busySince;
            isBusy = false;
        }
    }

    /** The tail of a partition has moved. */
    public void moved(int partition, long now) {
        AtomicLongArray at = movedAt;
        if (partition < at.length()) {
            at.setRelease(partition, now);
        }
    }

    /**
     * A record with an id has been read. Under the lock.
     *
     * @return whether its copy has been delivered before it, so that it has to be dispatched with its id
     */
    public boolean brought(int partition, byte[] channel, byte[] id, long now) {
        if (partition >= partitions.length) {
            return false;
        }
        IdWindow ids = partitions[partition].ids;
        hash.of(channel, id);
        int known = ids.find(hash.high, hash.low);
        if (known < 0) {
            ids.add(hash.high, hash.low, IdWindow.KAFKA, now);
            return false;
        }
        ids.record(known);
        return ids.state(known) == IdWindow.BOTH;
    }

    // ---- the Redis tier

    /** A copy has come whose channel is wanted here: by this interest, and for no other it will be delivered. Under the lock. */
    public void arrived(Interest interest, FallbackCopy copy, Delivery delivery, long now, Releases to) {
        int partition = interest.partition;
        if (partition >= partitions.length) {
            return;
        }
        Partition p = partitions[partition];
        hash.of(copy.channel(), copy.id());
        if (p.ids.find(hash.high, hash.low) >= 0) {
            metrics.copiesDeduplicated.increment();
            return;
        }
        if (copy.ephemeral() || delivery == Delivery.EPHEMERAL) {
            p.ids.add(hash.high, hash.low, IdWindow.KAFKA, now);
            to.release(interest, copy, false);
        } else if (delivery == Delivery.FASTEST) {
            p.ids.add(hash.high, hash.low, IdWindow.PROVISIONAL, now);
            to.release(interest, copy, true);
        } else {
            p.waiting.add(new Waiting(interest, copy, now, hash.high, hash.low));
            p.waitingBytes += bytes(copy);
            look(p, partition, now, to);
            bound(p);
        }
    }

    /** Time passes: releases what has waited long enough. Under the lock. */
    public void due(long now, Releases to) {
        for (int i = 0; i < partitions.length; i++) {
            Partition p = partitions[i];
            if (p.hedging || !p.waiting.isEmpty()) {
                look(p, i, now, to);
            }
        }
        count();
    }

    /** In how many nanoseconds something may be due, if nothing comes; {@link Long#MAX_VALUE}: nothing waits. Under the lock. */
    public long dueIn(long now) {
        long in = Long.MAX_VALUE;
        for (int i = 0; i < partitions.length; i++) {
            Waiting oldest = partitions[i].waiting.peek();
            if (oldest != null) {
                long still = Math.max(oldest.arrived, movedAt.getAcquire(i)) + settings.hedgeAfterNanos();
                long overdue = oldest.arrived + OVERDUE * settings.hedgeAfterNanos();
                in = Math.min(in, Math.max(0, Math.min(still, overdue) - now));
            }
        }
        return in;
    }

    private void look(Partition p, int partition, long now, Releases to) {
        long moved = movedAt.getAcquire(partition);
        if (p.hedging && moved - p.hedgingSince > 0 && !p.ids.behind(now, settings.hedgeAfterNanos(), PHANTOM_NANOS)) {
            p.hedging = false;
        }
        for (Waiting w = p.waiting.peek(); w != null; w = p.waiting.peek()) {
            if (p.ids.find(w.high, w.low) >= 0) {
                metrics.copiesDeduplicated.increment();
                take(p);
                continue;
            }
            boolean stands = now - Math.max(w.arrived, moved) >= settings.hedgeAfterNanos();
            if (!p.hedging && !stands && now - w.arrived < OVERDUE * settings.hedgeAfterNanos()) {
                return;
            }
            take(p);
            if (!to.wanted(w.interest)) {
                metrics.copiesLost(CopyLoss.UNWANTED).increment();
                continue;
            }
            if (!p.hedging && stands) {
                p.hedging = true;
                p.hedgingSince = now;
            }
            p.ids.add(w.high, w.low, IdWindow.PROVISIONAL, now);
            metrics.hedged.increment();
            to.release(w.interest, w.copy, true);
        }
    }

    private void bound(Partition p) {
        while (p.waiting.size() > settings.waitingCopies() || p.waitingBytes > settings.waitingBytes()) {
            Waiting oldest = take(p);
            boolean known = p.ids.find(oldest.high, oldest.low) >= 0;
            (known ? metrics.copiesDeduplicated : metrics.copiesLost(CopyLoss.RING_FULL)).increment();
        }
    }

    private static Waiting take(Partition p) {
        Waiting w = p.waiting.remove();
        p.waitingBytes -= bytes(w.copy);
        return w;
    }

    /** What a waiting copy keeps alive, roughly: its payload, and its other fields and objects. */
    private static int bytes(FallbackCopy copy) {
        return copy.payload().length + 512;
    }

    private void count() {
        int copies = 0;
        int hedging = 0;
        for (Partition p : partitions) {
            copies += p.waiting.size();
            hedging += p.hedging ? 1 : 0;
        }
        waitingCopies = copies;
        hedgingPartitions = hedging;
    }
}

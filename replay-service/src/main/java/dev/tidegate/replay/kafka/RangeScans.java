package dev.tidegate.replay.kafka;

import dev.tidegate.replay.config.ReplaySettings;
import dev.tidegate.replay.metrics.ReplayMetrics;
import dev.tidegate.replay.reads.ReadTicket;
import dev.tidegate.replay.reads.Room;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * Reads ranges of the topic that memory does not hold. Requests for one partition whose ranges lie near each other share one
 * sequential read; so many reads at most are under way, and who comes first is served first, with all that can ride along. A scan
 * lasts so long at most that everybody has a turn; whoever is not done then asks again, at the end of the queue.
 */
public final class RangeScans implements AutoCloseable {
    private static final long TICK_MILLIS = 50;

    /**
     * Requests that arrive together shall share: so long a scan waits for others before it opens its consumer. Beside scans of the same
     * part of the partition, which came too early for a crowd that is still arriving, it waits longer: 40 ms, then 80 ms.
     */
    private static final long[] GATHER_MILLIS = {5, 40, 80};

    private final KafkaClients clients;
    private final ReplaySettings.Scan settings;
    private final int maxPayloadBytes;
    private final ReplayMetrics metrics;
    private final Room room;
    private final AtomicInteger number = new AtomicInteger();
    private final Scheduler opening; // opening a consumer blocks for some milliseconds
    private final Disposable timer;

    private final ArrayDeque<Asked> waiting = new ArrayDeque<>(); // guarded by this; bounded by settings.queue
    private final List<RangeScan> active = new ArrayList<>(); // guarded by this; bounded by settings.concurrent
    private boolean closed; // guarded by this

    /** A request that waits for a scan of this log. */
    private record Asked(TopicLog log, ReadTicket ticket) {
        long first() {
            return ticket.wanted().after() + 1;
        }
    }

    public RangeScans(KafkaClients clients, ReplaySettings.Scan settings, int maxPayloadBytes, ReplayMetrics metrics) {
        this.clients = clients;
        this.settings = settings;
        this.maxPayloadBytes = maxPayloadBytes;
        this.metrics = metrics;
        this.room = new Room(settings.buffers().toBytes());
        this.opening = Schedulers.newBoundedElastic(settings.concurrent(), settings.concurrent(), "replay-scan-open");
        this.timer =
                Schedulers.parallel().schedulePeriodically(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Asks for a scan; what comes of it is told by the ticket. */
    public ReadTicket submit(TopicLog log, ReadTicket.Wanted wanted) {
        ReadTicket ticket = new ReadTicket(wanted, room);
        String refusal = null;
        synchronized (this) {
            if (closed) {
                refusal = "the service stops";
            } else if (waiting.size() >= settings.queue()) {
                refusal = "too many requests wait for Kafka";
            } else {
                waiting.add(new Asked(log, ticket));
            }
        }
        if (refusal != null) {
            metrics.scanRefused.increment();
            ticket.end(ReadTicket.State.UNAVAILABLE, refusal);
        } else {
            openNext();
        }
        return ticket;
    }

    /** Scans under way. */
    public synchronized int active() {
        return active.size();
    }

    /** Requests that wait for a scan. */
    public synchronized int waiting() {
        return waiting.size();
    }

    /** Bytes of pages found and not yet sent. */
    public long bufferedBytes() {
        return room.used();
    }

    private void openNext() {
        while (true) {
            RangeScan scan = next();
            if (scan == null) {
                return;
            }
            opening.schedule(scan::start, gatherMillis(scan), TimeUnit.MILLISECONDS);
        }
    }

    private synchronized long gatherMillis(RangeScan scan) {
        int beside = 0;
        for (RangeScan other : active) {
            boolean same = other.topicLog() == scan.topicLog() && other.partition() == scan.partition();
            if (other != scan && same && Math.abs(other.seed() - scan.seed()) <= settings.joinDistance()) {
                beside++;
            }
        }
        return GATHER_MILLIS[Math.min(beside, GATHER_MILLIS.length - 1)];
    }

    private synchronized @Nullable RangeScan next() {
        if (closed || active.size() >= settings.concurrent()) {
            return null;
        }
        for (Iterator<Asked> i = waiting.iterator(); i.hasNext(); ) {
            Asked first = i.next();
            if (first.ticket().isOver()) {
                i.remove();
            } else if (!willBeTaken(first)) {
                i.remove();
                RangeScan scan = new RangeScan(
                        this,
                        first.log(),
                        first.ticket().wanted().partition(),
                        first.ticket(),
                        clients.scan(
                                "tidegate-replay-scan-" + number.incrementAndGet(),
                                Math.toIntExact(settings.fetchBytes().toBytes())),
                        maxPayloadBytes,
                        metrics);
                active.add(scan);
                return scan;
            }
        }
        return null;
    }

    /** Whether a scan that has not begun reading takes this ticket along. */
    private boolean willBeTaken(Asked a) {
        for (RangeScan scan : active) {
            if (scan.gathering() && near(scan, a, scan.seed())) {
                return true;
            }
        }
        return false;
    }

    private boolean near(RangeScan scan, Asked a, long from) {
        return a.log() == scan.topicLog()
                && a.ticket().wanted().partition() == scan.partition()
                && Math.abs(a.first() - from) <= settings.joinDistance();
    }

    /** Those that can ride along with a scan that is about to take its place. */
    List<ReadTicket> joinAtStart(RangeScan scan) {
        return join(scan, scan.seed(), Long.MIN_VALUE);
    }

    /** Those that can ride along with a scan whose next record is {@code next}. */
    List<ReadTicket> join(RangeScan scan, long next) {
        return join(scan, next, next);
    }

    /** Called by scans that hold their own lock: this class never takes a scan's lock while it holds its own. */
    private synchronized List<ReadTicket> join(RangeScan scan, long near, long notBefore) {
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<ReadTicket> joining = new ArrayList<>();
        for (Iterator<Asked> i = waiting.iterator(); i.hasNext(); ) {
            Asked a = i.next();
            if (near(scan, a, near) && a.first() >= notBefore) {
                i.remove();
                joining.add(a.ticket());
            }
        }
        return joining;
    }

    void ended(RangeScan scan) {
        synchronized (this) {
            active.remove(scan);
        }
        openNext();
    }

    private void tick() {
        long now = System.nanoTime();
        List<RangeScan> scans;
        List<ReadTicket> late = new ArrayList<>();
        synchronized (this) {
            scans = List.copyOf(active);
            waiting.removeIf(a -> {
                ReadTicket t = a.ticket();
                boolean tooLate = now - t.since() > settings.queueWait().toNanos();
                if (tooLate) {
                    late.add(t);
                }
                return tooLate || t.isOver();
            });
        }
        for (ReadTicket t : late) {
            metrics.scanRefused.increment();
            t.end(ReadTicket.State.UNAVAILABLE, "no scan of Kafka came free in time");
        }
        for (RangeScan scan : scans) {
            scan.tick(now, settings.maxTime(), settings.stall());
        }
        openNext();
    }

    @Override
    public void close() {
        List<RangeScan> scans;
        List<ReadTicket> refused;
        synchronized (this) {
            closed = true;
            scans = List.copyOf(active);
            refused = waiting.stream().map(Asked::ticket).toList();
            waiting.clear();
        }
        timer.dispose();
        refused.forEach(t -> t.end(ReadTicket.State.UNAVAILABLE, "the service stops"));
        scans.forEach(RangeScan::close);
        opening.dispose();
    }
}
